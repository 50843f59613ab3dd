// The API. @event-driven-io/emmett-expressjs would bring the errors as problem details; it is not released for
// this version of Emmett.
import { EmmettError } from '@event-driven-io/emmett';
import express, { type NextFunction, type Request, type Response } from 'express';
import { randomUUID } from 'node:crypto';
import { eventStore } from './store.js';
import { handle, registerUser } from './user.js';
import { toUser } from './validation.js';

const app = express();
app.use(express.json());

app.post('/users', async (request: Request, response: Response) => {
  const data = { userId: randomUUID(), user: toUser(request.body) };
  await handle(eventStore, `user-${data.userId}`, (state) => registerUser({ type: 'RegisterUser', data }, state));
  response.status(201).location(`/users/${data.userId}`).json({ id: data.userId });
});

app.use((error: Error & { status?: number }, _: Request, response: Response, _next: NextFunction) => {
  const status = error.status ?? EmmettError.mapFrom(error).errorCode;
  if (status >= 500) console.error(error);
  response.status(status).type('application/problem+json').send({ status, detail: status < 500 ? error.message : undefined });
});

app.listen(Number(process.env.PORT ?? 3000), process.env.HOST ?? '127.0.0.1');

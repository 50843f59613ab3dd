import { Injectable } from '@nestjs/common';
import { ofType, Saga, type ICommand, type IEvent } from '@nestjs/cqrs';
import { map, type Observable } from 'rxjs';
import {
  CreateUserQueryCommand, CreateUserQueryEvent, SynchronizedUserEvent, SynchronizeUserCommand,
} from './messages.js';

@Injectable()
export class UserSaga {
  @Saga()
  userCreated = (events$: Observable<IEvent>): Observable<ICommand> =>
    events$.pipe(ofType(CreateUserQueryEvent), map(({ user }) => new CreateUserQueryCommand(user)));

  @Saga()
  userSynchronized = (events$: Observable<IEvent>): Observable<ICommand> =>
    events$.pipe(ofType(SynchronizedUserEvent), map(({ userId }) => new SynchronizeUserCommand(userId)));
}

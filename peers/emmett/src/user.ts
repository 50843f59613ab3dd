// What is known of users, and what may happen to them.
import { CommandHandler, EmmettError, type Command, type Event } from '@event-driven-io/emmett';

/** In the format of randomuser.me, without passwords and their digests. */
export type UserData = {
  email: string;
  gender: string;
  name: { title: string; first: string; last: string };
  location: {
    street: { number: number; name: string };
    city: string;
    state: string;
    country: string;
    postcode: number | string;
    coordinates: { latitude: string; longitude: string };
    timezone: { offset: string; description: string };
  };
  login: { uuid: string; username: string };
  dob: { date: string; age: number };
  registered: { date: string; age: number };
  phone: string;
  cell: string;
  id: { name: string; value: string | null };
  picture: { large: string; medium: string; thumbnail: string };
  nat: string;
};

export type RegisterUser = Command<'RegisterUser', { userId: string; user: UserData }>;
export type UserRegistered = Event<'UserRegistered', { userId: string; user: UserData }>;
export type User = { status: 'Unknown' } | { status: 'Registered' };

export const initialState = (): User => ({ status: 'Unknown' });

export const evolve = (_: User, event: UserRegistered): User => {
  switch (event.type) {
    case 'UserRegistered':
      return { status: 'Registered' };
  }
};

export const registerUser = (command: RegisterUser, state: User): UserRegistered => {
  if (state.status !== 'Unknown')
    throw new EmmettError({ errorCode: EmmettError.Codes.IllegalStateError, message: 'There is such a user.' });
  return { type: 'UserRegistered', data: command.data };
};

export const handle = CommandHandler({ evolve, initialState });

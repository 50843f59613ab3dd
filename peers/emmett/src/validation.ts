// From the body of a request to a user, or to an answer 400.
import { EmmettError } from '@event-driven-io/emmett';
import type { UserData } from './user.js';

type Json = Record<string, unknown>;

const invalid = (what: string) =>
  new EmmettError({ errorCode: EmmettError.Codes.ValidationError, message: `${what} is missing or no such value.` });

const text = (from: Json, field: string): string => {
  const value = from[field];
  // PostgreSQL's JSON has no NUL.
  if (typeof value !== 'string' || value.includes('\0')) throw invalid(field);
  return value;
};

const whole = (from: Json, field: string): number => {
  const value = from[field];
  if (!Number.isSafeInteger(value)) throw invalid(field);
  return value as number;
};

const part = (from: Json, field: string): Json => {
  const value = from[field];
  if (typeof value !== 'object' || value === null) throw invalid(field);
  return value as Json;
};

const texts = <Field extends string>(from: Json, ...fields: Field[]) =>
  Object.fromEntries(fields.map((field) => [field, text(from, field)])) as Record<Field, string>;

const dated = (from: Json) => ({ date: text(from, 'date'), age: whole(from, 'age') });

const location = (from: Json): UserData['location'] => {
  const street = part(from, 'street');
  return {
    street: { number: whole(street, 'number'), name: text(street, 'name') },
    ...texts(from, 'city', 'state', 'country'),
    postcode: typeof from.postcode === 'number' ? from.postcode : text(from, 'postcode'),
    coordinates: texts(part(from, 'coordinates'), 'latitude', 'longitude'),
    timezone: texts(part(from, 'timezone'), 'offset', 'description'),
  };
};

export const toUser = (body: unknown): UserData => {
  const from = part({ body }, 'body');
  const id = part(from, 'id');
  const user = {
    ...texts(from, 'email', 'gender', 'phone', 'cell', 'nat'),
    name: texts(part(from, 'name'), 'title', 'first', 'last'),
    location: location(part(from, 'location')),
    login: texts(part(from, 'login'), 'uuid', 'username'),
    dob: dated(part(from, 'dob')),
    registered: dated(part(from, 'registered')),
    id: { name: text(id, 'name'), value: id.value === null ? null : text(id, 'value') },
    picture: texts(part(from, 'picture'), 'large', 'medium', 'thumbnail'),
  };
  if (!/^\S+@\S+$/.test(user.email)) throw invalid('email');
  return user;
};

import { Command } from '@nestjs/cqrs';
import type { CreateUserDto } from '../user.entities.js';

export type CreatedUser = CreateUserDto & { userId: number; seed: string; appId: string };

export class CreateUserCommand extends Command<CreatedUser> {
  constructor(readonly user: CreateUserDto, readonly seed: string) {
    super();
  }
}

/** The user is in PostgreSQL. */
export class CreateUserQueryEvent {
  constructor(readonly user: CreatedUser) {}
}

export class CreateUserQueryCommand extends Command<void> {
  constructor(readonly user: CreatedUser) {
    super();
  }
}

/** The user is in MongoDB. */
export class SynchronizedUserEvent {
  constructor(readonly userId: number) {}
}

export class SynchronizeUserCommand extends Command<void> {
  constructor(readonly userId: number) {
    super();
  }
}

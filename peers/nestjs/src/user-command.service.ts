import { Injectable } from '@nestjs/common';
import { AggregateRoot } from '@nestjs/cqrs';
import { DataSource } from 'typeorm';
import { type CreatedUser, CreateUserQueryEvent } from './cqrs/messages.js';
import { type CreateUserDto, User, UserEvent } from './user.entities.js';

const appId = process.env.APP_ID ?? 'nestjs';

export class UserCommandAggregate extends AggregateRoot {
  constructor(readonly user: CreatedUser) {
    super();
  }

  createOnQuery() {
    this.apply(new CreateUserQueryEvent(this.user));
  }
}

/** Users in PostgreSQL. */
@Injectable()
export class UserCommandService {
  constructor(private readonly dataSource: DataSource) {}

  async create(dto: CreateUserDto, seed: string) {
    const { userId } = await this.dataSource.transaction(async (manager) => {
      const user = await manager.save(manager.create(User, { ...dto, seed, appId, status: 'CREATED' }));
      await manager.insert(UserEvent, { user, status: 'CREATED', appId, state: dto });
      return user;
    });
    return new UserCommandAggregate({ ...dto, userId, seed, appId });
  }

  async synchronize(userId: number) {
    await this.dataSource.transaction(async (manager) => {
      await manager.update(User, userId, { status: 'SYNCRONIZED' });
      await manager.insert(UserEvent, { user: { userId }, status: 'SYNCRONIZED', appId });
    });
  }
}

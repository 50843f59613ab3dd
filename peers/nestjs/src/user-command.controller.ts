import { Body, Controller, Post, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import { CreateUserCommand } from './cqrs/messages.js';
import { CreateUserDto } from './user.entities.js';

@Controller('user-command')
export class UserCommandController {
  constructor(private readonly commandBus: CommandBus) {}

  /** Answers when the user is in PostgreSQL; the sagas see to MongoDB. */
  @Post()
  async create(@Body() body: CreateUserDto, @Query('seed') seed = '') {
    const { userId, email } = await this.commandBus.execute(new CreateUserCommand(body, seed));
    return { id: userId, email, status: 'CREATED' };
  }
}

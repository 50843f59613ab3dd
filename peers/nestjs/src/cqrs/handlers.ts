import { CommandHandler, EventPublisher, type ICommandHandler } from '@nestjs/cqrs';
import { UserCommandService } from '../user-command.service.js';
import { UserQueryService } from '../user-query.service.js';
import { CreateUserCommand, CreateUserQueryCommand, SynchronizeUserCommand } from './messages.js';

@CommandHandler(CreateUserCommand)
export class CreateUserHandler implements ICommandHandler<CreateUserCommand> {
  constructor(private readonly users: UserCommandService, private readonly publisher: EventPublisher) {}

  async execute({ user, seed }: CreateUserCommand) {
    const aggregate = this.publisher.mergeObjectContext(await this.users.create(user, seed));
    aggregate.createOnQuery();
    aggregate.commit();
    return aggregate.user;
  }
}

@CommandHandler(CreateUserQueryCommand)
export class CreateUserQueryHandler implements ICommandHandler<CreateUserQueryCommand> {
  constructor(private readonly documents: UserQueryService, private readonly publisher: EventPublisher) {}

  async execute({ user }: CreateUserQueryCommand) {
    const aggregate = this.publisher.mergeObjectContext(await this.documents.create(user));
    aggregate.addSynchronizedStatus();
    aggregate.commit();
  }
}

@CommandHandler(SynchronizeUserCommand)
export class SynchronizeUserHandler implements ICommandHandler<SynchronizeUserCommand> {
  constructor(private readonly users: UserCommandService) {}

  async execute({ userId }: SynchronizeUserCommand) {
    await this.users.synchronize(userId);
  }
}

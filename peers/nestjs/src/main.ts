import { Module, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { CqrsModule } from '@nestjs/cqrs';
import { MongooseModule } from '@nestjs/mongoose';
import { TypeOrmModule } from '@nestjs/typeorm';
import { CreateUserHandler, CreateUserQueryHandler, SynchronizeUserHandler } from './cqrs/handlers.js';
import { UserSaga } from './cqrs/user.saga.js';
import { options } from './data-source.js';
import { UserCommandController } from './user-command.controller.js';
import { UserCommandService } from './user-command.service.js';
import { UserDocument, UserQueryService, UserSchema } from './user-query.service.js';

@Module({
  imports: [
    CqrsModule.forRoot(),
    TypeOrmModule.forRoot(options),
    MongooseModule.forRoot(process.env.MONGODB_URL!, { writeConcern: { w: 'majority', journal: true } }),
    MongooseModule.forFeature([{ name: UserDocument.name, schema: UserSchema }]),
  ],
  controllers: [UserCommandController],
  providers: [
    UserCommandService, UserQueryService, UserSaga,
    CreateUserHandler, CreateUserQueryHandler, SynchronizeUserHandler,
  ],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { logger: ['error', 'warn'] });
app.useGlobalPipes(new ValidationPipe({ whitelist: true, transform: true }));
app.enableShutdownHooks();
await app.listen(process.env.PORT ?? 3000, process.env.HOST ?? '127.0.0.1');

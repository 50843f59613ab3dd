import { Injectable } from '@nestjs/common';
import { AggregateRoot } from '@nestjs/cqrs';
import { InjectModel, Prop, Schema, SchemaFactory } from '@nestjs/mongoose';
import type { Model } from 'mongoose';
import { type CreatedUser, SynchronizedUserEvent } from './cqrs/messages.js';

/** A user with all that belongs to it. Its own `id` is the one of its country. */
@Schema({ collection: 'users', id: false, versionKey: false })
export class UserDocument {
  @Prop() _id: number;
  @Prop() seed: string;
  @Prop() appId: string;
  @Prop({ index: true }) email: string;
  @Prop() gender: string;
  @Prop({ type: Object }) name: object;
  @Prop({ type: Object }) location: object;
  @Prop({ type: Object }) login: object;
  @Prop({ type: Object }) dob: object;
  @Prop({ type: Object }) registered: object;
  @Prop() phone: string;
  @Prop() cell: string;
  @Prop({ type: Object }) id: object;
  @Prop({ type: Object }) picture: object;
  @Prop() nat: string;
}

export const UserSchema = SchemaFactory.createForClass(UserDocument);

export class UserEventCommandAggregate extends AggregateRoot {
  constructor(private readonly userId: number) {
    super();
  }

  addSynchronizedStatus() {
    this.apply(new SynchronizedUserEvent(this.userId));
  }
}

/** Users in MongoDB. */
@Injectable()
export class UserQueryService {
  constructor(@InjectModel(UserDocument.name) private readonly documents: Model<UserDocument>) {}

  async create({ userId, ...user }: CreatedUser) {
    await this.documents.create({ _id: userId, ...user });
    return new UserEventCommandAggregate(userId);
  }
}

// A user as it comes in, and as it is kept in normalized tables: each class says what is valid, and its columns.
import { applyDecorators, Type as Class } from '@nestjs/common';
import { Transform, Type } from 'class-transformer';
import {
  IsEmail, IsInt, IsISO8601, IsObject, IsOptional, IsString, Matches, MaxLength, ValidateNested,
} from 'class-validator';
import {
  Column, CreateDateColumn, Entity, Index, JoinColumn, ManyToOne, OneToOne, PrimaryGeneratedColumn,
} from 'typeorm';

/** PostgreSQL has no text with a NUL. */
const NO_NUL = /^[^\0]*$/;

const Text = () => applyDecorators(IsString(), MaxLength(2000), Matches(NO_NUL), Column());
const Whole = () => applyDecorators(IsInt(), Column());
const Valid = (of: () => Class) => applyDecorators(IsObject(), ValidateNested(), Type(of));
const Embedded = (of: () => Class) => applyDecorators(Valid(of), Column(of));
const Row = (of: () => Class) => applyDecorators(Valid(of), OneToOne(of, { cascade: true }), JoinColumn());

class Name {
  @Text() title: string;
  @Text() first: string;
  @Text() last: string;
}

class Street {
  @Whole() number: number;
  @Text() name: string;
}

class Coordinates {
  @Text() latitude: string;
  @Text() longitude: string;
}

class Timezone {
  @Text() offset: string;
  @Text() description: string;
}

class Dated {
  @IsISO8601() @Column('timestamptz') date: string;
  @Whole() age: number;
}

class Identity {
  @Text() name: string;
  @IsOptional() @IsString() @Matches(NO_NUL) @Column('varchar', { nullable: true }) value: string | null;
}

@Entity('prm_user_location')
export class Location {
  @PrimaryGeneratedColumn() id: number;
  @Embedded(() => Street) street: Street;
  @Text() city: string;
  @Text() state: string;
  @Text() country: string;
  /** A number in some countries. */
  @Transform(({ value }) => String(value)) @Text() postcode: string;
  @Embedded(() => Coordinates) coordinates: Coordinates;
  @Embedded(() => Timezone) timezone: Timezone;
}

/** Passwords and their digests are not taken. */
@Entity('prm_user_login')
export class Login {
  @PrimaryGeneratedColumn() id: number;
  @Text() uuid: string;
  @Text() username: string;
}

@Entity('prm_user_picture')
export class Picture {
  @PrimaryGeneratedColumn() id: number;
  @Text() large: string;
  @Text() medium: string;
  @Text() thumbnail: string;
}

/** The body of a request, in the format of randomuser.me. */
export class CreateUserDto {
  @Index() @IsEmail() @Column() email: string;
  @Text() gender: string;
  @Embedded(() => Name) name: Name;
  @Embedded(() => Dated) dob: Dated;
  @Embedded(() => Dated) registered: Dated;
  @Text() phone: string;
  @Text() cell: string;
  @Embedded(() => Identity) id: Identity;
  @Text() nat: string;
  @Row(() => Location) location: Location;
  @Row(() => Login) login: Login;
  @Row(() => Picture) picture: Picture;
}

export type Status = 'CREATED' | 'SYNCRONIZED';

@Entity('prm_user')
export class User extends CreateUserDto {
  @PrimaryGeneratedColumn() userId: number;
  @Column() seed: string;
  @Column() appId: string;
  @Column() status: Status;
  @CreateDateColumn({ type: 'timestamptz' }) createdAt: Date;
}

/** What happened to a user, and what it was then. */
@Entity('prm_user_event')
export class UserEvent {
  @PrimaryGeneratedColumn() id: number;
  @Index() @ManyToOne(() => User) user: User;
  @Column() status: Status;
  @Column() appId: string;
  @Column('jsonb', { nullable: true }) state?: object;
  @CreateDateColumn({ type: 'timestamptz' }) createdAt: Date;
}

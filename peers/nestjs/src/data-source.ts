import { DataSource, type DataSourceOptions } from 'typeorm';
import { Location, Login, Picture, User, UserEvent } from './user.entities.js';

export const options: DataSourceOptions = {
  type: 'postgres',
  url: process.env.POSTGRES_URL,
  entities: [User, Location, Login, Picture, UserEvent],
  poolSize: 20,
};

/** For `typeorm schema:sync`, which makes the tables before the service starts. */
export default new DataSource(options);

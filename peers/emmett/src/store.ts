import { getPostgreSQLEventStore } from '@event-driven-io/emmett-postgresql';
import pg from 'pg';

const connectionString = process.env.POSTGRES_URL!;

const pool = new pg.Pool({ connectionString, max: 20 });
// Without these a connection that breaks would end the process; the pool opens another one anyway.
const report = (error: Error) => console.error(error.message);
pool.on('error', report);
pool.on('connect', (client) => client.on('error', report));

/** `migrate.ts` makes its tables. */
export const eventStore = getPostgreSQLEventStore(connectionString, {
  connectionOptions: { pool },
  schema: { autoMigration: 'None' },
});

export const close = () => pool.end();

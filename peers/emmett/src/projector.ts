// Takes users from the event store to MongoDB. It ends when a store fails, and goes on from its checkpoint when
// it is started again.
import { MongoClient } from 'mongodb';
import { eventStore } from './store.js';
import type { UserData, UserRegistered } from './user.js';

type UserDocument = UserData & { _id: string };

const client = new MongoClient(process.env.MONGODB_URL!, { writeConcern: { w: 'majority', journal: true } });
const users = client.db().collection<UserDocument>('users');

const consumer = eventStore.consumer<UserRegistered>({ pulling: { batchSize: 1000 } });

consumer.projector<UserRegistered>({
  // There is one projector. By its own name it gets its lock back at once after a crash, not after five minutes.
  processorInstanceId: 'projector',
  projection: {
    name: 'users',
    canHandle: ['UserRegistered'],
    init: async () => {
      await users.createIndex({ email: 1 });
    },
    handle: async (events) => {
      for (const { data } of events)
        await users.replaceOne({ _id: data.userId }, data.user, { upsert: true });
    },
  },
});

process.on('SIGTERM', () => process.exit());
await consumer.start();
console.error('Error: the consumer has stopped, as it does when a store fails.');
process.exit(1);

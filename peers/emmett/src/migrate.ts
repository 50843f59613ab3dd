import { close, eventStore } from './store.js';

await eventStore.schema.migrate();
await close();

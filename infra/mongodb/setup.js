// Makes a new MongoDB ready for Tandem: a replica set of one, the owner and the service. Harmless when it is run again.
// For mongosh with --nodb: passwords come from files, and stand in no command line and in no environment.
const { readFileSync } = require('fs');
const passwordOf = (name) => readFileSync(`${process.env.SECRETS}/mongodb_${name}_password`, 'utf8');
const ADDRESS = process.env.MONGODB_ADDRESS || 'mongodb:27017';
const PATIENCE_SECONDS = 120;

function patiently(what, attempt) {
  const deadline = Date.now() + PATIENCE_SECONDS * 1000;
  for (;;) {
    try {
      // Not returned at once: mongosh would wait for it outside of the `try`.
      const result = attempt();
      return result;
    } catch (error) {
      if (Date.now() > deadline) throw new Error(`${what} has not worked for ${PATIENCE_SECONDS} s: ${error.message}`);
      sleep(500);
    }
  }
}

function connectAsAdministrator() {
  const options = 'authSource=admin&directConnection=true&serverSelectionTimeoutMS=2000';
  return connect(`mongodb://root:${passwordOf('root')}@${ADDRESS}/admin?${options}`);
}

function initiateReplicaSet(admin) {
  if (admin.hello().setName) return;
  const members = [{ _id: 0, host: ADDRESS }];
  admin.runCommand({ replSetInitiate: { _id: 'tandem', members } });
}

function requirePrimary(admin) {
  if (!admin.hello().isWritablePrimary) throw new Error('the replica set has no primary');
}

function makeServiceRole(admin) {
  const actions = ['find', 'insert', 'update', 'remove'];
  const privileges = [{ resource: { db: 'tandem', collection: '' }, actions }];
  const command = admin.getRole('tandem_service') ? 'updateRole' : 'createRole';
  admin.runCommand({ [command]: 'tandem_service', privileges, roles: [] });
}

function makeUser(admin, name, pwd, roles) {
  const command = admin.getUser(name) ? 'updateUser' : 'createUser';
  admin.runCommand({ [command]: name, pwd, roles });
}

const admin = patiently('Connecting to MongoDB', connectAsAdministrator);
initiateReplicaSet(admin);
patiently('Becoming primary', () => requirePrimary(admin));
makeServiceRole(admin);
makeUser(admin, 'tandem_service', passwordOf('service'), ['tandem_service']);
makeUser(admin, 'tandem_owner', passwordOf('owner'), [{ role: 'dbOwner', db: 'tandem' }]);
// For the console.
makeUser(admin, 'tandem_viewer', passwordOf('viewer'), [{ role: 'read', db: 'tandem' }]);
print('MongoDB is ready: a replica set of one, with the users tandem_owner, tandem_service and tandem_viewer.');

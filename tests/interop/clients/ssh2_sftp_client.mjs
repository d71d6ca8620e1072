// ssh2-sftp-client, on top of ssh2. Arguments: port, login, key file, what to do, with what.
import { createReadStream, createWriteStream, readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";

// Installed elsewhere, so that nothing is written beside this file.
const Client = createRequire(process.env.SLUIS_TEST_NODE + "/")("ssh2-sftp-client");

const [port, login, key, act, one, other] = process.argv.slice(2);
const sftp = new Client();
await sftp.connect({ host: "127.0.0.1", port, username: login, privateKey: readFileSync(key), retries: 0 });
const acts = {
  list: async () => (await sftp.list(one)).forEach((entry) => console.log(entry.name)),
  stat: async () => console.log((await sftp.stat(one)).size),
  get: () => sftp.fastGet(one, other),
  // After it `end` hangs up while the last CLOSE is under way.
  folder: () => sftp.downloadDir(one, other),
  resume: () =>
    sftp.get(one, createWriteStream(other, { flags: "a" }), {
      readStreamOptions: { start: statSync(other).size },
    }),
  put: () => sftp.put(createReadStream(one), other),
  rename: () => sftp.rename(one, other),
  replace: () => sftp.posixRename(one, other),
  remove: () => sftp.delete(one),
  "fetch-remove": async () => {
    await sftp.fastGet(one, "fetched.xml");
    await sftp.delete(one);
  },
  "fetch-rename": async () => {
    await sftp.fastGet(one, "fetched.xml");
    await sftp.rename(one, other);
  },
};
try {
  await acts[act]();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
await sftp.end();

// Books a song and waits for its event, from Node: no generated code, the protos are read as they are.
//
//     npm ci
//     TAPELOG_TOKEN="$(tapelog token pty-producer --tenant-role AUDITOR)" node song.mjs \
//         --session 127.0.0.1:7101 --notify 127.0.0.1:7103 --party pty-producer --title Headlights
//
// Prints the song's name, what keeps its first gate closed, and the event that told of it.

import { randomUUID } from "node:crypto";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const PROTOS = fileURLToPath(new URL("../../protos", import.meta.url));
const FILES = ["tapelog/session/v1/session_service.proto", "tapelog/notify/v1/notify_service.proto"];
// Safe, because every command carries a request id: each attempt has the same one, and it takes effect once.
const RETRIES = {
  methodConfig: [
    {
      name: [{ service: "tapelog.session.v1.SessionService" }],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: "0.2s",
        maxBackoff: "2s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
};
const CALL_MS = 30_000;
const WAIT_MS = 60_000;
const PAUSE_MS = 500;
const USAGE = `usage: node song.mjs --session ADDRESS --notify ADDRESS --party PARTY [--title TITLE]

ADDRESS  host:port of the service, as \`tapelog status\` prints it
PARTY    whose token TAPELOG_TOKEN is: TAPELOG_TOKEN="$(tapelog token PARTY --tenant-role AUDITOR)";
         the tenant role is what reading the event stream asks for`;

const api = grpc.loadPackageDefinition(
  loadSync(FILES, { includeDirs: [PROTOS], keepCase: true, longs: String, enums: String, oneofs: true }),
).tapelog;

function credentials() {
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${process.env.TAPELOG_TOKEN}`);
  return metadata;
}

/** Call a unary method; rejects with what the service says. */
function call(client, method, request) {
  return new Promise((resolve, reject) => {
    const options = { deadline: Date.now() + CALL_MS };
    client[method](request, credentials(), options, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

/** Yield events behind a position for as long as it takes; a broken stream goes on where it stopped. */
async function* follow(client, types, position) {
  const end = Date.now() + WAIT_MS;
  while (Date.now() < end) {
    const stream = client.Subscribe({ filter: { types }, start: { after_position: position } }, credentials());
    try {
      for await (const { event, heartbeat } of stream) {
        position = event?.position ?? heartbeat.position;
        if (event) yield event;
      }
    } catch (error) {
      if (error.code !== grpc.status.UNAVAILABLE && error.code !== grpc.status.RESOURCE_EXHAUSTED) throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    } finally {
      stream.cancel();
    }
  }
  throw new Error(`no event within ${WAIT_MS / 1000} s`);
}

async function main({ session, notify, party, title }) {
  const plain = grpc.credentials.createInsecure();
  const songs = new api.session.v1.SessionService(session, plain, { "grpc.service_config": JSON.stringify(RETRIES) });
  const events = new api.notify.v1.NotifyService(notify, plain);
  try {
    const project = await call(songs, "CreateProject", {
      title: `${title}, the single`,
      artist_name: "The Testers",
      members: [{ party, roles: ["ROLE_STUDIO_PRODUCER"] }],
      request_id: randomUUID(),
    });
    const request = { parent: project.name, title, sample_rate_hz: 48_000, bit_depth: 24, request_id: randomUUID() };
    const song = await call(songs, "CreateSong", request);
    const again = await call(songs, "CreateSong", request); // the same id: the same song, not a second one
    console.log(JSON.stringify({ song: song.name, again: again.name }));
    try {
      await call(songs, "AdvanceStage", { song: song.name, to: "STAGE_RECORDING", request_id: randomUUID() });
    } catch (error) {
      console.log(JSON.stringify({ code: grpc.status[error.code], message: error.details }));
    }
    for await (const event of follow(events, ["tapelog.song.song_created.v1"], "0")) {
      if (song.name.endsWith(`/${event.song}`)) {
        console.log(JSON.stringify({ event: event.id, type: event.type, position: event.position }));
        break;
      }
    }
  } finally {
    songs.close();
    events.close();
  }
}

const text = { type: "string" };
const { values } = parseArgs({
  options: {
    session: text,
    notify: text,
    party: text,
    title: { ...text, default: "Headlights" },
    help: { type: "boolean" },
  },
});
if (values.help) {
  console.log(USAGE);
} else if (!values.session || !values.notify || !values.party || !process.env.TAPELOG_TOKEN) {
  console.error(USAGE);
  process.exitCode = 2;
} else {
  await main(values);
}

// A webhook receiver for Node 18 or newer with nothing but its standard library: verifies, deduplicates, answers fast.
//
//     TAPELOG_WEBHOOK_SECRET=whsec_… node webhook_receiver.mjs --port 8099
//
// Verification follows Standard Webhooks 1.0.0: HMAC-SHA256 over `id.timestamp.body`, and a timestamp of the last
// minutes. Each accepted event is printed as one line of JSON.

import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

// Older requests may be recorded ones that somebody sends again; newer ones come from a wrong clock.
const TOLERANCE_S = 5 * 60;
const BODY_BYTES_MAX = 64 * 1024;
const REQUEST_MS_MAX = 10_000;
const USAGE = `usage: node webhook_receiver.mjs [--port 8099]

--port PORT  port on 127.0.0.1; 0 takes a free one
The signing secret is read from TAPELOG_WEBHOOK_SECRET.`;

class NotGenuineError extends Error {}

/** Return the id of a genuine event; throw NotGenuineError for anything else. */
function verify(secret, headers, body, nowS) {
  const eventId = headers["webhook-id"] ?? "";
  const timestamp = headers["webhook-timestamp"] ?? "";
  if (eventId === "" || !/^[0-9]+$/.test(timestamp)) {
    throw new NotGenuineError("webhook-id or webhook-timestamp is missing");
  }
  if (Math.abs(nowS - Number(timestamp)) > TOLERANCE_S) {
    throw new NotGenuineError(`the timestamp ${timestamp} is more than ${TOLERANCE_S} s away from now`);
  }
  const key = Buffer.from(secret.slice("whsec_".length), "base64");
  const expected = createHmac("sha256", key).update(`${eventId}.${timestamp}.`).update(body).digest();
  // There are several signatures while a secret is being replaced; one that fits is enough.
  for (const item of (headers["webhook-signature"] ?? "").split(" ")) {
    const [version, signature = ""] = item.split(",", 2);
    const given = Buffer.from(signature, "base64");
    if (version === "v1" && given.length === expected.length && timingSafeEqual(given, expected)) {
      return eventId;
    }
  }
  throw new NotGenuineError("no signature fits");
}

/** Return the body of a request, or null where it is too long. */
async function bodyOf(request) {
  const chunks = [];
  let lengthBytes = 0;
  for await (const chunk of request) {
    lengthBytes += chunk.length;
    if (lengthBytes > BODY_BYTES_MAX) {
      return null;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

// Deliveries repeat after a timeout or a restart. A real receiver keeps the ids in its database, written in the same
// transaction as what the event leads to.
const seen = new Set();

async function answer(secret, request, response) {
  const body = await bodyOf(request);
  if (body === null) {
    response.writeHead(413, { connection: "close" }).end();
    return;
  }
  let eventId;
  try {
    eventId = verify(secret, request.headers, body, Date.now() / 1000);
  } catch (error) {
    if (!(error instanceof NotGenuineError)) {
      throw error;
    }
    response.writeHead(401).end(error.message);
    return;
  }
  if (!seen.has(eventId)) {
    seen.add(eventId);
    const event = JSON.parse(body);
    console.log(JSON.stringify({ id: event.id, type: event.type, position: event.position }));
  }
  response.writeHead(204).end();
}

const { values } = parseArgs({ options: { port: { type: "string", default: "8099" }, help: { type: "boolean" } } });
const secret = process.env.TAPELOG_WEBHOOK_SECRET ?? "";
if (values.help) {
  console.log(USAGE);
} else if (!secret.startsWith("whsec_")) {
  console.error("set TAPELOG_WEBHOOK_SECRET to the secret that CreateSubscription showed");
  process.exitCode = 2;
} else {
  const server = createServer({ requestTimeout: REQUEST_MS_MAX }, (request, response) => {
    answer(secret, request, response).catch((error) => {
      console.error(error.message);
      response.destroy();
    });
  });
  server.listen(Number(values.port), "127.0.0.1", () => {
    console.error(`listening on http://127.0.0.1:${server.address().port}/`);
  });
}

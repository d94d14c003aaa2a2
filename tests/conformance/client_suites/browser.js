// What a web page does with the service: WebSocket with text and with MessagePack in array buffers, and EventSource.
// `browser.py` loads this page and calls runAll.

const WAIT_MS = 15000;
const text = new TextEncoder();

// --- MessagePack, as far as requests and answers go ---

function packed(value) {
  const out = [];
  const put = (...bytes) => bytes.forEach((byte) => out.push(byte));
  const length = (count, short, limit, first) => {
    if (count < limit) put(short | count);
    else put(first, count >> 8, count & 255);
  };
  const write = (item) => {
    if (item === null) put(0xc0);
    else if (typeof item === "boolean") put(item ? 0xc3 : 0xc2);
    else if (typeof item === "number") put(0xd2, (item >>> 24) & 255, (item >>> 16) & 255, (item >>> 8) & 255, item & 255);
    else if (typeof item === "string") {
      const bytes = text.encode(item);
      length(bytes.length, 0xa0, 32, 0xda);
      put(...bytes);
    } else if (Array.isArray(item)) {
      length(item.length, 0x90, 16, 0xdc);
      item.forEach(write);
    } else {
      const members = Object.entries(item);
      length(members.length, 0x80, 16, 0xde);
      members.flat().forEach(write);
    }
  };
  write(value);
  return new Uint8Array(out).buffer;
}

function unpacked(buffer) {
  const view = new DataView(buffer);
  let at = 0;
  const sized = (bytes) => {
    at += bytes;
    return bytes === 1 ? view.getUint8(at - 1) : bytes === 2 ? view.getUint16(at - 2) : view.getUint32(at - 4);
  };
  const string = (count) => {
    at += count;
    return new TextDecoder().decode(new Uint8Array(buffer, at - count, count));
  };
  const list = (count) => Array.from({ length: count }, read);
  const map = (count) => Object.fromEntries(Array.from({ length: count }, () => [read(), read()]));
  function read() {
    const first = sized(1);
    if (first < 0x80) return first;
    if (first < 0x90) return map(first & 15);
    if (first < 0xa0) return list(first & 15);
    if (first < 0xc0) return string(first & 31);
    if (first >= 0xe0) return first - 256;
    if (first >= 0xcc && first <= 0xce) return sized(1 << (first - 0xcc));
    if (first >= 0xd9 && first <= 0xdb) return string(sized(1 << (first - 0xd9)));
    if (first === 0xdc || first === 0xdd) return list(sized(first === 0xdc ? 2 : 4));
    if (first === 0xde || first === 0xdf) return map(sized(first === 0xde ? 2 : 4));
    if (first === 0xc0) return null;
    if (first === 0xc2 || first === 0xc3) return first === 0xc3;
    throw new Error(`a value of the kind ${first.toString(16)}`);
  }
  const value = read();
  if (at !== buffer.byteLength) throw new Error("bytes are left over");
  return value;
}

// --- a connection ---

function same(found, wanted) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)];
  if (one !== other) throw new Error(`${one} is not ${other}`);
}

function within(promise, what) {
  const late = new Promise((_, no) => setTimeout(() => no(new Error(`${what} takes too long`)), WAIT_MS));
  return Promise.race([promise, late]);
}

class Connection {
  constructor(settings, url, binary) {
    this.settings = settings;
    this.binary = binary;
    this.waiting = [];
    this.frames = [];
    this.headers = { "Client-ID": settings.client_id, "X-Project-ID": settings.project };
    this.socket = new WebSocket(url);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (event) => {
      const bytes = event.data instanceof ArrayBuffer;
      const frame = { bytes, document: bytes ? unpacked(event.data) : JSON.parse(event.data) };
      const waiter = this.waiting.shift();
      if (waiter) waiter(frame);
      else this.frames.push(frame);
    };
  }

  static async open(settings, { url = settings.websocket, binary = false } = {}) {
    const made = new Connection(settings, url, binary);
    await within(
      new Promise((yes, no) => {
        made.socket.onopen = yes;
        made.socket.onerror = () => no(new Error(`no connection to ${url}`));
      }),
      "opening",
    );
    return made;
  }

  send(action, body, more = {}) {
    const request = { action, headers: { ...this.headers, ...more.headers }, ...more.members };
    if (body !== undefined) request.body = body;
    this.socket.send(this.binary ? packed(request) : JSON.stringify(request));
  }

  async next() {
    const frame = this.frames.shift() ?? (await within(new Promise((yes) => this.waiting.push(yes)), "a frame"));
    same(frame.bytes, this.binary);
    return frame.document;
  }

  // The answer to a request, which is the next frame with one; its status is compared.
  async ask(action, body, status, more) {
    this.send(action, body, more);
    let answer = await this.next();
    while (!answer.request) answer = await this.next();
    same([answer.request.action, answer.headers.status], [action, status]);
    return answer.body;
  }

  async login() {
    const headers = { "X-Auth-Token": this.settings.token };
    same(await this.ask("authenticate", undefined, 200, { headers }), { message: "Authentified." });
    return this;
  }

  post(queue_name, body) {
    return this.ask("message_post", { queue_name, messages: [{ body, ttl: 300 }] }, 201);
  }

  async close() {
    const closed = new Promise((yes) => (this.socket.onclose = yes));
    this.socket.close(1000);
    return within(closed, "closing");
  }
}

const login = async (settings, options) => (await Connection.open(settings, options)).login();

// --- tests ---

async function conversation(connection, queue) {
  same(await connection.ask("queue_create", { queue_name: queue }, 201), `Queue ${queue} created.`);
  same((await connection.post(queue, { greeting: "Grüße, 世界" })).message_ids.length, 1);
  const { messages } = await connection.ask("message_list", { queue_name: queue, echo: true }, 200);
  same(messages[0].body, { greeting: "Grüße, 世界" });
  await connection.ask("message_delete", { queue_name: queue, message_id: messages[0].id }, 204);
  same((await connection.ask("queue_list", undefined, 200)).queues.some(({ name }) => name === queue), true);
}

async function subscription(settings, queue, binary) {
  const connection = await login(settings, { binary });
  const { message } = await connection.ask("subscription_create", { queue_name: queue, ttl: 3600 }, 201);
  same(message, `Subscription ${queue} created.`);
  const other = await login(settings);
  await other.post(queue, { n: 1 });
  const push = await connection.next();
  same(Object.keys(push).sort(), ["Message_Type", "body", "queue_name", "ttl"]);
  same([push.queue_name, push.body, push.ttl, push.Message_Type], [queue, { n: 1 }, 300, "Notification"]);
  same((await connection.close()).wasClean, true);
  // The goodbye does not wait for the store, so the subscription may be seen for a moment longer.
  await within(noSubscriptions(other, queue), "the end of the subscription");
  await other.close();
}

async function noSubscriptions(connection, queue) {
  const list = () => connection.ask("subscription_list", { queue_name: queue }, 200);
  while ((await list()).subscriptions.length > 0);
}

// Values of a pre-signed URL for the queue's messages.
async function signed(settings, queue) {
  const headers = { "Content-Type": "application/json", "Client-ID": settings.client_id };
  headers["X-Auth-Token"] = settings.token;
  headers["X-Project-ID"] = settings.project;
  const body = JSON.stringify({ paths: ["messages"], methods: ["GET"] });
  const answer = await fetch(`${settings.rest}/v2/queues/${queue}/share`, { method: "POST", headers, body });
  same(answer.status, 200);
  const made = await answer.json();
  return new URLSearchParams({
    "URL-Signature": made.signature,
    "URL-Expires": made.expires,
    "URL-Methods": made.methods.join(","),
    "URL-Paths": made.paths.join(","),
    "X-Project-ID": made.project,
    "Client-ID": settings.client_id,
  });
}

// The next events of a stream: their ids and the bodies of their messages.
async function events(source, count) {
  const found = [];
  const all = new Promise((yes, no) => {
    source.onmessage = (event) => {
      found.push({ id: event.lastEventId, body: JSON.parse(event.data).body });
      if (found.length === count) yes(found);
    };
    source.addEventListener("error", () => source.readyState === EventSource.CLOSED && no(new Error("the stream is closed")));
  });
  return within(all, `event ${count}`);
}

const tests = {
  "WebSocket, text": async (settings) => conversation(await login(settings), "page-text"),

  "WebSocket, MessagePack in array buffers": async (settings) =>
    conversation(await login(settings, { binary: true }), "page-binary"),

  "WebSocket, requests without waiting": async (settings) => {
    const connection = await Connection.open(settings);
    connection.send("authenticate", undefined, { headers: { "X-Auth-Token": settings.token } });
    connection.send("queue_create", { queue_name: "page-fast" });
    connection.send("message_post", { queue_name: "page-fast", messages: [{ body: 1 }] });
    const actions = [await connection.next(), await connection.next(), await connection.next()];
    same(actions.map((each) => [each.request.action, each.headers.status]), [
      ["authenticate", 200],
      ["queue_create", 201],
      ["message_post", 201],
    ]);
  },

  "WebSocket, without a token": async (settings) => {
    const connection = await Connection.open(settings);
    same(await connection.ask("queue_list", undefined, 403), { error: "Not authentified." });
  },

  "WebSocket, a subscription": (settings) => subscription(settings, "page-push", false),

  "WebSocket, a subscription in MessagePack": (settings) => subscription(settings, "page-pack", true),

  "WebSocket beside REST": async (settings) => {
    const url = `${settings.rest.replace("http", "ws")}/v2/ws`;
    await conversation(await login(settings, { url }), "page-rest");
  },

  "WebSocket, answers by id": async (settings) => {
    const connection = await login(settings);
    await connection.ask("queue_create", { queue_name: "page-ids" }, 201);
    const waiting = { queue_name: "page-ids", ttl: 300, grace: 60, wait: 30 };
    connection.send("claim_create", waiting, { members: { id: "slow" } });
    connection.send("queue_list", undefined, { members: { id: 2 } });
    same((await connection.next()).id, 2);
    connection.send("message_post", { queue_name: "page-ids", messages: [{ body: 7 }] }, { members: { id: "p" } });
    const found = [await connection.next(), await connection.next()];
    same(found.map(({ id, headers }) => [id, headers.status]).sort(), [["p", 201], ["slow", 201]]);
    same(found.find(({ id }) => id === "slow").body.messages[0].body, 7);
  },

  "WebSocket, a subscription goes on after a break": async (settings) => {
    const poster = await login(settings);
    await poster.ask("queue_create", { queue_name: "page-from" }, 201);
    const first = await login(settings);
    await first.ask("subscription_create", { queue_name: "page-from", from: "now" }, 201);
    await poster.post("page-from", 1);
    const { marker, id, body } = await first.next();
    same([typeof id, body], ["string", 1]);
    await first.close();
    await poster.post("page-from", 2);
    const second = await login(settings);
    await second.ask("subscription_create", { queue_name: "page-from", from: marker }, 201);
    same((await second.next()).body, 2);
    await poster.post("page-from", 3);
    same((await second.next()).body, 3);
  },

  "EventSource, a pre-signed URL": async (settings) => {
    const poster = await login(settings);
    await poster.ask("queue_create", { queue_name: "page-events" }, 201);
    const url = `${settings.rest}/v2/queues/page-events/messages/stream?${await signed(settings, "page-events")}`;
    const source = new EventSource(url);
    await within(new Promise((yes) => (source.onopen = yes)), "the stream");
    const coming = events(source, 2);
    await poster.post("page-events", { n: 1 });
    await poster.post("page-events", { n: 2 });
    same((await coming).map(({ body }) => body), [{ n: 1 }, { n: 2 }]);
    source.close();
  },

  "EventSource goes on after a break": async (settings) => {
    const poster = await login(settings);
    await poster.ask("queue_create", { queue_name: "page-break" }, 201);
    const query = await signed(settings, "page-break");
    const source = new EventSource(`${settings.detour}/v2/queues/page-break/messages/stream?${query}`);
    await within(new Promise((yes) => (source.onopen = yes)), "the stream");
    const one = events(source, 1);
    await poster.post("page-break", 1);
    same((await one)[0].body, 1);
    const rest = events(source, 3);
    await fetch("/cut");
    for (const n of [2, 3, 4]) await poster.post("page-break", n);
    same((await rest).map(({ body }) => body), [2, 3, 4]);
    source.close();
  },

  "EventSource, an altered URL": async (settings) => {
    const query = await signed(settings, "page-altered");
    query.set("URL-Paths", "/v2/queues/another/messages");
    const source = new EventSource(`${settings.rest}/v2/queues/another/messages/stream?${query}`);
    await within(new Promise((yes, no) => ((source.onerror = yes), (source.onopen = () => no(new Error("it opens"))))), "a refusal");
    same(source.readyState, EventSource.CLOSED);
  },
};

async function runAll(settings) {
  const result = {};
  for (const [name, test] of Object.entries(tests)) {
    try {
      await test(settings);
      result[`page: ${name}`] = ["pass", ""];
    } catch (error) {
      result[`page: ${name}`] = ["fail", `${error}`];
    }
  }
  return result;
}

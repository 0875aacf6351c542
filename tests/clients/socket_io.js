"use strict";
/*
 * Socket.IO (npm) with the Redis adapter: two servers that share a room's messages by pub/sub, and
 * two that do it with sharded channels; clients at each. Every message reaches every client once.
 */
const assert = require("node:assert/strict");
const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { io: client } = require("socket.io-client");
const { createAdapter, createShardedAdapter } = require("@socket.io/redis-adapter");
const { key, connected, fail, within, serve } = require("./service");

const CLIENTS = 3, SERVERS = 2;
const heardBy = [];
let sent = 0, wake = () => {};

/* Resolves when the server has its port. */
async function server(adapter) {
    const http = createServer();
    const io = new Server(http, { adapter, transports: ["websocket"], serveClient: false });
    io.on("connection", (socket) => {
        socket.join("room");
        socket.emit("joined");
    });
    await new Promise((resolve) => http.listen(0, "127.0.0.1", resolve));
    return { io, port: http.address().port };
}

/* Resolves when the client is in the room. Messages come in the order of their sender. */
async function member(port) {
    const socket = client(`http://127.0.0.1:${port}`, {
        transports: ["websocket"], forceNew: true, reconnection: false });
    const heard = Array(SERVERS).fill(0);
    heardBy.push(heard);
    socket.on("disconnect", (reason) => fail(`a client was disconnected: ${reason}`));
    socket.on("connect_error", (error) => fail(`a client: ${error.message}`));
    socket.on("news", (from, n) => {
        if (n !== ++heard[from])
            fail(`message ${n} of server ${from} came where ${heard[from]} was due`);
        wake();
    });
    await new Promise((resolve) => socket.on("joined", resolve));
}

/* Two servers and their clients; resolves when each server's messages reach the other. */
async function house(create, options) {
    const adapter = async () => create(await connected(), await connected(), options);
    const servers = await Promise.all(Array.from({ length: SERVERS }, async () => server(await adapter())));
    for (const { port } of servers)
        await Promise.all(Array.from({ length: CLIENTS }, () => member(port)));
    while ((await servers[0].io.fetchSockets()).length !== SERVERS * CLIENTS);
    return servers.map(({ io }) => io);
}

let houses;

async function open() {
    houses = [await house(createAdapter, { key: key("plain") }),
              await house(createShardedAdapter, { channelPrefix: key("sharded") })];
}

const all = () => heardBy.every((heard) => heard.every((n) => n === sent));
const missing = () => heardBy.flat().reduce((sum, n) => sum + sent - n, 0);

/* Waits until each client heard everything. */
async function everybody() {
    const late = setTimeout(() => fail(`${missing()} messages of ${sent} to each are missing`), 5000);
    while (!all()) await new Promise((resolve) => (wake = resolve));
    clearTimeout(late);
}

/* Messages go on while earlier ones are on their way: more than are heard by then. */
async function round() {
    if (!houses) await within("joining the room", open());
    sent++;
    for (const servers of houses)
        servers.forEach((io, from) => io.to("room").emit("news", from, sent));
    if (sent % 10 === 0)
        for (const [io] of houses)
            assert.equal((await within("fetchSockets()", io.fetchSockets())).length,
                         SERVERS * CLIENTS, "sockets that fetchSockets() finds");
    await new Promise((resolve) => setTimeout(resolve, 5));
}

async function finish() {
    await everybody();
    return `${sent} messages of each server to ${heardBy.length} clients`;
}

serve(round, finish);

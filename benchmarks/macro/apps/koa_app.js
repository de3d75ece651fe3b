// Koa, and `ws` on the same server.
const { Readable } = require('node:stream')
const Koa = require('koa')
const { Router } = require('@koa/router')
const { HELLO, LAYERS, PORT, WORKLOAD, document, echoSockets, pieces } = require('./asked')

const app = new Koa({ keys: ['a key'] })

const layer = async (ctx, next) => { await next() }

const hello = async ctx => { ctx.body = HELLO }

const json = async ctx => { ctx.body = document() }

// By events, because `for await` over the request costs Node a quarter more.
const read = request => new Promise((resolve, reject) => {
  const chunks = []
  request.on('data', chunk => chunks.push(chunk))
  request.on('end', () => resolve(Buffer.concat(chunks)))
  request.on('error', reject)
})

const echo = async ctx => { ctx.body = await read(ctx.req) }

const route = new Router().get('/users/:id', async ctx => { ctx.body = ctx.params.id }).routes()

const cookie = async ctx => { ctx.body = ctx.cookies.get('user', { signed: true }) }

const stream = async ctx => { ctx.body = Readable.from(pieces()) }

for (let i = 0; i < LAYERS; i++) app.use(layer)
app.use({ json, echo, route, cookie, stream }[WORKLOAD] ?? hello)

const server = app.listen(PORT, '127.0.0.1')
if (WORKLOAD === 'socket') echoSockets(server)

'use strict'

// The npm side of the comparison: one JSON request a line in, one JSON answer a line out.
//
// A request names its area: "ctx" drives a Koa application through raw HTTP over a connection
// in memory, "koa1" a chain of generators of Koa 1, "compose" and "co" their packages,
// "keygrip" and "call" single functions. What JSON cannot say is an object with the key "$".

const http = require('node:http')
const path = require('node:path')
const readline = require('node:readline')
const { Duplex, Readable } = require('node:stream')

const Koa = require('koa')
const Koa1 = require('koa1')
const Keygrip = require('keygrip')
const co = require('co')
const compose = require('koa-compose')

const { sessionApp } = require('./session.js')

const PATIENCE = 1000 // milliseconds without an answer before a case counts as hanging

// ---- values ---------------------------------------------------------------------------------

function decode (value) {
  if (Array.isArray(value)) return value.map(decode)
  if (value === null || typeof value !== 'object') return value
  const kind = value.$
  if (kind === undefined) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, decode(each)]))
  }
  if (kind === 'undefined') return undefined
  if (kind === 'bytes') return Buffer.from(value.hex, 'hex')
  if (kind === 'date') return new Date(value.ms)
  if (kind === 'error') return Object.assign(new Error(value.message), decode(value.props || {}))
  if (kind === 'stream') return Readable.from(streamed(value))
  throw new Error(`unknown kind of value ${kind}`)
}

async function * streamed ({ chunks, fails }) {
  for (const chunk of chunks) yield Buffer.from(chunk, 'hex')
  if (fails) throw new Error(fails)
}

function encode (value) {
  if (value === undefined || value === null) return null
  if (typeof value === 'function') return { $: 'function' }
  if (Buffer.isBuffer(value)) return { $: 'bytes', hex: value.toString('hex') }
  if (value instanceof Date) {
    return { $: 'date', ms: Number.isNaN(value.getTime()) ? null : value.getTime() }
  }
  if (value instanceof URL) return encodeURL(value)
  if (value instanceof Error) return encodeError(value)
  if (typeof value.pipe === 'function') return { $: 'stream' }
  if (Array.isArray(value)) return value.map(encode)
  if (typeof value === 'object') {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, encode(each)]))
  }
  return value
}

function encodeURL (url) {
  const names = ['href', 'protocol', 'host', 'hostname', 'port', 'pathname', 'search', 'hash']
  return Object.fromEntries(names.map(name => [name, url[name]]))
}

function encodeError (err) {
  if (!(err instanceof Error)) return { $: 'thrown', value: String(err) }
  const { name, message, status, expose, headers } = err
  const own = Object.entries(err).filter(([key, each]) => {
    return !['status', 'statusCode', 'expose', 'headers', 'message'].includes(key) &&
      ['string', 'number', 'boolean'].includes(typeof each)
  })
  return {
    $: 'error',
    name,
    message,
    status: encode(status),
    expose: encode(expose),
    headers: encode(headers),
    props: Object.fromEntries(own)
  }
}

// ---- one connection in memory ---------------------------------------------------------------

class Connection extends Duplex {
  constructor ({ encrypted = false, remoteAddress = '127.0.0.1' }) {
    super({ allowHalfOpen: true })
    this.encrypted = encrypted
    this.remoteAddress = remoteAddress
    this.sent = []
  }

  _read () {}

  _write (chunk, encoding, callback) {
    this.sent.push(chunk)
    callback()
  }

  setTimeout () { return this }
  setNoDelay () { return this }
  setKeepAlive () { return this }
}

function exchange (handler, { socket = {}, request }) {
  return new Promise(resolve => {
    const server = http.createServer((req, res) => {
      res.shouldKeepAlive = false
      handler(req, res)
    })
    const connection = new Connection(socket)
    const timer = setTimeout(() => finish(true), PATIENCE)
    const finish = hangs => {
      clearTimeout(timer)
      resolve({ ...parse(Buffer.concat(connection.sent)), hangs })
      connection.destroy()
    }
    connection.once('close', () => finish(false))
    connection.once('finish', () => finish(false))
    connection.on('error', () => {})
    server.emit('connection', connection)
    connection.push(render(request))
  })
}

function render ({ method, target, version = '1.1', headers = [], body = '' }) {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`)
  const head = `${method} ${target} HTTP/${version}\r\n${lines.join('')}\r\n`
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body, 'hex')])
}

function parse (bytes) {
  const text = bytes.toString('latin1')
  const cut = text.indexOf('\r\n\r\n')
  if (cut < 0) return { status: null, reason: '', headers: [], body: '', whole: false }
  const [first, ...lines] = text.slice(0, cut).split('\r\n')
  const [, status, reason] = /^HTTP\/1\.1 (\d+) ?(.*)$/.exec(first)
  const headers = lines.map(line => {
    const colon = line.indexOf(':')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
  })
  const rest = text.slice(cut + 4)
  const named = Object.fromEntries(headers)
  const { body, whole } = named['transfer-encoding'] === 'chunked'
    ? dechunk(rest)
    : { body: rest, whole: true }
  return {
    status: Number(status),
    reason,
    headers,
    body: Buffer.from(body, 'latin1').toString('hex'),
    whole
  }
}

function dechunk (text) {
  let body = ''
  let at = 0
  for (;;) {
    const end = text.indexOf('\r\n', at)
    if (end < 0) return { body, whole: text === '' }
    const size = parseInt(text.slice(at, end), 16)
    if (size === 0) return { body, whole: true }
    body += text.slice(end + 2, end + 2 + size)
    at = end + 2 + size + 2
  }
}

// ---- ctx: steps on one context --------------------------------------------------------------

function resolve (ctx, name) {
  const parts = name.split('.')
  const last = parts.pop()
  return [parts.reduce((object, part) => object[part], ctx), last]
}

const OPERATIONS = {
  get: (ctx, name) => {
    const [object, last] = resolve(ctx, name)
    return object[last]
  },
  set: (ctx, name, value) => {
    const [object, last] = resolve(ctx, name)
    object[last] = value
  },
  call: (ctx, name, ...args) => {
    const [object, last] = resolve(ctx, name)
    return object[last](...args)
  },
  raise: (ctx, value) => {
    throw value
  }
}

function step (ctx, [operation, name, ...args]) {
  try {
    const subject = operation === 'raise' ? decode(name) : name
    const value = OPERATIONS[operation](ctx, subject, ...args.map(decode))
    return [{ ok: operation === 'get' || operation === 'call' ? resultOf(ctx, value) : null }]
  } catch (err) {
    return [{ thrown: encode(err) }, err]
  }
}

function resultOf (ctx, value) {
  return value === ctx || value === ctx.cookies ? null : encode(value)
}

function snapshot (ctx, names) {
  return Object.fromEntries(names.map(name => {
    try {
      const [object, last] = resolve(ctx, name)
      return [name, encode(object[last])]
    } catch (err) {
      return [name, { thrown: encode(err) }]
    }
  }))
}

async function runContext ({ app: settings = {}, steps, after = [], leave = [], ...rest }) {
  const app = new Koa()
  Object.assign(app, settings)
  if (settings.keygrip) app.keys = new Keygrip(...settings.keygrip)
  const errors = []
  app.on('error', err => errors.push(encode(err)))
  const results = []
  app.use(async ctx => {
    for (const [index, each] of steps.entries()) {
      const [result, err] = step(ctx, each)
      results.push({ ...result, after: snapshot(ctx, after) })
      if (err !== undefined && leave.includes(index)) throw err
    }
  })
  const answer = await exchange(app.callback(), rest)
  return { results, errors, answer }
}

// ---- compose: a tree of middleware ----------------------------------------------------------

function middleware (program, trace) {
  if (program.compose) {
    return compose(program.compose.map(each => middleware(each, trace)))
  }
  return async (ctx, next) => {
    for (const [action, argument] of program.actions) {
      if (action === 'log') trace.push(`${program.name} ${argument}`)
      if (action === 'next') trace.push(`${program.name} got ${JSON.stringify(encode(await next()))}`)
      if (action === 'tolerant next') {
        try {
          await next()
        } catch (err) {
          trace.push(`${program.name} caught ${err.message}`)
        }
      }
      if (action === 'pause') await null
      if (action === 'raise') throw new Error(argument)
      if (action === 'return') return argument
    }
  }
}

async function runCompose ({ programs, times = 1 }) {
  const trace = []
  const composed = compose(programs.map(each => middleware(each, trace)))
  const outcomes = []
  for (let turn = 0; turn < times; turn++) {
    try {
      outcomes.push({ ok: encode(await composed({})) })
    } catch (err) {
      outcomes.push({ thrown: err.message })
    }
  }
  return { trace, outcomes }
}

// ---- co and Koa 1: what generators yield ----------------------------------------------------

function yieldable (value, next, trace) {
  if (Array.isArray(value)) return value.map(each => yieldable(each, next, trace))
  if (value === null || typeof value !== 'object') return value
  const { $: kind, value: inner, message, name } = value
  if (kind === undefined) {
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, yieldable(each, next, trace)])
    )
  }
  if (kind === 'next') return next
  if (kind === 'promise') return Promise.resolve(inner)
  if (kind === 'rejected') return Promise.reject(new Error(message))
  if (kind === 'thunk') return done => setImmediate(done, null, inner)
  if (kind === 'failing thunk') return done => setImmediate(done, new Error(message))
  if (kind === 'throwing thunk') return () => { throw new Error(message) }
  const run = function * () {
    trace.push(`${name} in`)
    const got = yield yieldable(inner, next, trace)
    trace.push(`${name} out`)
    return got
  }
  if (kind === 'generator') return run()
  if (kind === 'generator function') return run
  if (kind === 'raising generator') {
    return (function * () { throw new Error(message) })()
  }
  throw new Error(`unknown kind of yieldable ${kind}`)
}

function generatorFunction (program, trace) {
  return function * (next) {
    for (const [action, argument, tolerant] of program.actions) {
      if (action === 'log') trace.push(`${program.name} ${argument}`)
      if (action === 'raise') throw new Error(argument)
      if (action === 'return') return argument
      if (action === 'body') this.body = argument
      if (action === 'yield') {
        try {
          const got = yield yieldable(argument, next, trace)
          trace.push(`${program.name} got ${JSON.stringify(encode(got))}`)
        } catch (err) {
          trace.push(`${program.name} caught ${err instanceof TypeError ? 'TypeError' : err.message}`)
          if (!tolerant) throw err
        }
      }
      if (action === 'delegate') {
        const got = yield * next
        trace.push(`${program.name} got ${JSON.stringify(encode(got))}`)
      }
    }
  }
}

async function runCo ({ program }) {
  const trace = []
  try {
    return { ok: encode(await co(generatorFunction(program, trace))), trace }
  } catch (err) {
    return { thrown: err instanceof TypeError ? 'TypeError' : err.message, trace }
  }
}

async function runKoa1 ({ programs, request }) {
  const trace = []
  const errors = []
  const app = new Koa1()
  app.on('error', err => errors.push(err instanceof TypeError ? 'TypeError' : err.message))
  for (const program of programs) app.use(generatorFunction(program, trace))
  const answer = await exchange(app.callback(), { request })
  return { trace, errors, answer }
}

// ---- single functions -----------------------------------------------------------------------

function runKeygrip ({ keys, algorithm, encoding, operation, args }) {
  return { ok: encode(new Keygrip(decode(keys), algorithm, encoding)[operation](...decode(args))) }
}

const FUNCTIONS = {
  'content-disposition.parse': value => {
    const { type, parameters } = require('content-disposition').parse(value)
    return { type, parameters: { ...parameters } }
  },
  'encodeurl': require('encodeurl'),
  'extensions': () => Object.keys(require('mime-types').types).sort(),
  'mime-types.contentType': require('mime-types').contentType,
  'statuses.message': () => require('statuses').message,
  'statuses.empty': () => Object.keys(require('statuses').empty).map(Number),
  'statuses.redirect': () => Object.keys(require('statuses').redirect).map(Number),
  'vary.append': (header, field) => require('vary').append(header, field)
}

function runCall ({ name, args = [] }) {
  try {
    return { ok: encode(FUNCTIONS[name](...decode(args))) }
  } catch (err) {
    return { thrown: encode(err) }
  }
}

// ---- lines in, lines out --------------------------------------------------------------------

const AREAS = {
  call: runCall,
  co: runCo,
  compose: runCompose,
  ctx: runContext,
  keygrip: runKeygrip,
  koa1: runKoa1,
  session: ({ request, ...rest }) => exchange(sessionApp(rest), { request }),
  versions: ({ names }) => Object.fromEntries(names.map(name => {
    return [name, require(path.join(__dirname, 'node_modules', name, 'package.json')).version]
  }))
}

async function main () {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const request = JSON.parse(line)
    let answer
    try {
      answer = await AREAS[request.area](request)
    } catch (err) {
      answer = { fault: err.stack }
    }
    process.stdout.write(JSON.stringify(answer) + '\n')
  }
}

// What a case leaves behind (a promise nobody awaited) must not end the driver.
process.on('unhandledRejection', () => {})
process.on('uncaughtException', () => {})

main()

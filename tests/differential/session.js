'use strict'

// One request to a Koa application with koa-session: steps on ctx.session, then what is in it.

const Koa = require('koa')
const Keygrip = require('keygrip')
const { createSession } = require('koa-session')

const STEPS = {
  set: (ctx, name, value) => { ctx.session[name] = value },
  delete: (ctx, name) => { delete ctx.session[name] },
  replace: (ctx, values) => { ctx.session = values },
  destroy: ctx => { ctx.session = null },
  lasts: (ctx, milliseconds) => { ctx.session.maxAge = milliseconds },
  save: ctx => ctx.session.save(),
  regenerate: ctx => ctx.session.regenerate()
}

// A store that holds `records`, and is asked for them afterwards.
function storeOf (records) {
  return {
    get: async key => records[key],
    set: async (key, record) => { records[key] = JSON.parse(JSON.stringify(record)) },
    destroy: async key => { delete records[key] }
  }
}

function sessionApp ({ keys, algorithm, options = {}, records, steps }) {
  if (records) options = { ...options, autoCommit: false, store: storeOf(records) }
  const app = new Koa()
  app.keys = new Keygrip(keys, algorithm)
  app.silent = true
  app.use(createSession({ ...options }, app))
  app.use(async ctx => {
    const before = ctx.session.toJSON()
    const isNew = ctx.session.isNew
    for (const [name, ...args] of steps) await STEPS[name](ctx, ...args)
    ctx.body = { before, isNew, after: ctx.session && ctx.session.toJSON() }
    if (records) {
      await ctx.session.manuallyCommit()
      ctx.body = { ...ctx.body, records }
    }
  })
  return app.callback()
}

module.exports = { sessionApp }

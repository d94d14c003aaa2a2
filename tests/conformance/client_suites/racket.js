// racket's Cloud Queues, a client of v1 for Node: every request that the library has, but that of the home document, for
// which it asks without the slash. (Where a post or a claim is refused it reads on, and ends its process.)
//
// Takes the file for the results: {test: [outcome, why]}. $MESSAGING_URL says where to go, with the token in $OS_TOKEN.

'use strict'

const assert = require('node:assert/strict')
const fs = require('node:fs')
const { CloudQueues } = require('racket')

// It knows the addresses of its provider's identity service alone, so it gets what that would have told it.
function service() {
  const cloud = new CloudQueues({ username: 'x', apiKey: 'x', authRegion: 'US', region: 'ORD', urlType: 'public' })
  cloud.tokenId = process.env.OS_TOKEN
  cloud.serviceUrl = `${process.env.MESSAGING_URL}/v1`
  return cloud
}

// Calls a method: what it says, and the answer's status.
function call(cloud, method, ...args) {
  return new Promise((resolve, reject) => {
    const done = (error, data, answer) => (error ? reject(error) : resolve([data, answer && answer.statusCode]))
    cloud[method](...args, done)
  })
}

async function refused(promise, title) {
  await assert.rejects(promise, (error) => error.title === title)
}

const bodies = (data) => data.messages.map((message) => message.body)

const TESTS = {
  'queues are made, found, listed, and have metadata': async (cloud) => {
    assert.deepEqual(await call(cloud, 'checkQueueExists', 'racket-queues'), [false, 404])
    const [made] = await call(cloud, 'createQueue', 'racket-queues')
    assert.equal(made.location, '/v1/queues/racket-queues')
    await call(cloud, 'createQueue', 'racket-queues')
    assert.deepEqual(await call(cloud, 'checkQueueExists', 'racket-queues'), [true, 204])
    const [page, status] = await call(cloud, 'listQueues', { marker: 'racket-queuer', limit: 1, detailed: true })
    assert.deepEqual([page, status], [{ queues: ['racket-queues'], marker: 'racket-queues' }, 200])
    assert.deepEqual(await call(cloud, 'listQueues', { marker: 'zzz' }), [{ queues: [] }, 204])
    assert.deepEqual(await call(cloud, 'showQueueMetadata', 'racket-queues'), [{}, 200])
    assert.deepEqual(await call(cloud, 'setQueueMetadata', 'racket-queues', { a: [1, 'ü'] }), [null, 204])
    assert.deepEqual(await call(cloud, 'showQueueMetadata', 'racket-queues'), [{ a: [1, 'ü'] }, 200])
    await refused(call(cloud, 'setQueueMetadata', 'racket-queues', { _flavor: 'f' }), 'Invalid API request')
    await assert.rejects(call(cloud, 'showQueueMetadata', 'racket-none'), /Not found/)
  },

  'messages are posted, listed, read and deleted': async (cloud) => {
    const queue = 'racket-messages'
    await call(cloud, 'createQueue', queue)
    assert.deepEqual((await call(cloud, 'showQueueStats', queue))[0], { claimed: 0, free: 0, total: 0 })
    const [{ partial, msgIds }, posted] = await call(cloud, 'postMessage', queue, [
      { ttl: 300, body: { n: 1 } },
      { ttl: 400, body: 'two' }
    ])
    assert.deepEqual([partial, msgIds.length, posted], [false, 2, 201])
    const [stats] = await call(cloud, 'showQueueStats', queue)
    assert.deepEqual([stats.free, stats.oldest.msgId, stats.newest.msgId], [2, ...msgIds])
    // Its own messages are for others.
    assert.deepEqual(await call(cloud, 'getMessages', queue, {}), [{ messages: [] }, 204])
    assert.deepEqual(bodies((await call(service(), 'getMessages', queue, {}))[0]), [{ n: 1 }, 'two'])
    const [page] = await call(cloud, 'getMessages', queue, { echo: true, limit: 1, includeClaimed: true })
    assert.deepEqual([bodies(page), page.limit, page.echo, page.includeClaimed], [[{ n: 1 }], '1', 'true', 'true'])
    const [rest] = await call(cloud, 'getMessages', queue, { echo: true, marker: page.marker })
    assert.deepEqual(bodies(rest), ['two'])
    const [found] = await call(cloud, 'getMessagesById', queue, [...msgIds, 'none'])
    assert.deepEqual(Object.keys(found), msgIds)
    const [details] = await call(cloud, 'showMessageDetails', queue, msgIds[1])
    assert.deepEqual([details.msgId, details.ttl, details.body], [msgIds[1], 400, 'two'])
    await call(cloud, 'deleteMessage', queue, msgIds[0], undefined)
    await refused(call(cloud, 'showMessageDetails', queue, msgIds[0]), 'Not found')
    await call(cloud, 'deleteMessagesById', queue, msgIds)
    assert.deepEqual(await call(cloud, 'getMessagesById', queue, msgIds), [{ messages: [] }, 204])
  },

  'claims hold messages, are renewed and released': async (cloud) => {
    const [queue, terms] = ['racket-claims', { ttl: 300, grace: 60, limit: 1 }]
    await call(cloud, 'createQueue', queue)
    assert.deepEqual(await call(cloud, 'claimMessages', queue, terms), [{ claimId: undefined, messages: [] }, 204])
    await call(cloud, 'postMessage', queue, [0, 1].map((n) => ({ ttl: 300, body: n })))
    const [claim, made] = await call(cloud, 'claimMessages', queue, terms)
    assert.deepEqual([bodies(claim), made], [[0], 201])
    const held = claim.messages[0].msgId
    await refused(call(cloud, 'deleteMessage', queue, held, undefined), 'Unable to delete')
    const [read] = await call(cloud, 'queryClaim', queue, claim.claimId)
    assert.deepEqual([read.ttl, read.claimId, read.messages[0].msgId], [300, claim.claimId, held])
    await call(cloud, 'updateClaim', queue, claim.claimId, { ttl: 400 })
    assert.equal((await call(cloud, 'queryClaim', queue, claim.claimId))[0].ttl, 400)
    await call(cloud, 'deleteMessage', queue, held, claim.claimId)
    const [other] = await call(cloud, 'claimMessages', queue, terms)
    await call(cloud, 'releaseClaim', queue, other.claimId)
    await refused(call(cloud, 'queryClaim', queue, other.claimId), 'Not found')
    assert.deepEqual(bodies((await call(cloud, 'getMessages', queue, { echo: true }))[0]), [1])
  }
}

async function main(file) {
  const results = {}
  for (const [name, test] of Object.entries(TESTS)) {
    const outcome = await test(service()).then(
      () => ['pass', ''],
      (error) => ['fail', String((error && error.stack) || JSON.stringify(error)).slice(0, 2000)]
    )
    results[`racket: ${name}`] = outcome
  }
  fs.writeFileSync(file, JSON.stringify(results))
}

main(process.argv[2])

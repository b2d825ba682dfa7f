// Runs kafkajs against the broker at $BOOTSTRAP and prints one `ok` or `not ok` line a check.
// Never starts or stops a broker; never needs one that is empty (every name carries a nonce).
const { spawn } = require('child_process')
const { readFileSync, writeFileSync, mkdtempSync, symlinkSync } = require('fs')
const os = require('os')
const path = require('path')
const assert = require('assert')
const {
  Kafka, CompressionTypes, CompressionCodecs, logLevel, PartitionAssigners, ConfigResourceTypes,
} = require('kafkajs')

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

const brokers = (process.env.BOOTSTRAP || '127.0.0.1:9092').split(',')
const nonce = `${process.pid}-${Date.now()}`
const kafka = new Kafka({ clientId: 'conformance', brokers, logLevel: logLevel.NOTHING })
// One node after the other is being restarted.
const restarting = process.env.RESTARTING === '1'
let failures = 0

async function check(name, body) {
  const limit = new Promise((_, reject) =>
    setTimeout(() => reject(new Error('timed out after 60 s')), 60000).unref())
  try {
    await Promise.race([body(), limit])
    console.log(`ok ${name}`)
  } catch (error) {
    failures += 1
    console.log(`not ok ${name}: ${String(error.message || error).split('\n')[0]}`)
  }
}

// kafkajs gives up where a node that is restarted would be there a moment later, with three nodes of Apache Kafka
// as well: a consumer that stops says so once and hears no answer, and stays in its group for a session; a seek
// whose commit fails is forgotten; deleteGroups is not repeated after NOT_COORDINATOR; deleteTopicRecords fails with
// a TypeError where a connection ends, and never asks another leader. What was answered is not asked again.
async function persist(body) {
  for (let tries = 1; ; tries += 1) {
    try {
      return await body(tries)
    } catch (error) {
      if (!restarting || tries >= 4) throw error
    }
  }
}

// Reads from the beginning until `enough(messages)`, with a group of its own.
async function readAll(topic, enough, options = {}) {
  const consumer = kafka.consumer({ groupId: `read-${topic}-${Math.random()}`, ...options })
  const messages = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, ({ payload }) => reject(payload.error))
    consumer.run({
      eachMessage: async ({ partition, message }) => {
        messages.push({ partition, ...message })
        if (enough(messages)) resolve()
      },
    }).catch(reject)
  })
  await consumer.disconnect()
  return messages
}

// The scripts of the README, with only the address and the names replaced.
async function script(file, until) {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'ottla-kafkajs-'))
  symlinkSync(path.join(__dirname, 'node_modules'), path.join(dir, 'node_modules'))
  const text = readFileSync(path.join(__dirname, file), 'utf8')
    .replace("'127.0.0.1:9092'", brokers.map(broker => `'${broker}'`).join(', '))
    .replace(/test-topic/g, `test-topic-${nonce}`)
    .replace(/test-group/g, `test-group-${nonce}`)
  writeFileSync(path.join(dir, file), text)
  const child = spawn(process.execPath, [file], { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'] })
  let out = ''
  let err = ''
  child.stderr.on('data', chunk => { err += chunk })
  const ended = new Promise(resolve => child.on('exit', resolve))
  await new Promise((resolve, reject) => {
    child.stdout.on('data', chunk => { out += chunk; if (until && until(out)) resolve() })
    child.on('exit', code => (until ? reject(new Error(`ended early: ${err || out}`)) : resolve(code)))
  })
  if (until) child.kill('SIGKILL')
  await ended
  return { out, err }
}

async function main() {
  const admin = kafka.admin()
  await check('admin connects', () => admin.connect())

  await check('README producer script', async () => {
    const { err, out } = await script('producer.js')
    // It tells of a node that is away, and goes on with another.
    const lines = (out + err).split('\n').filter(line => !(restarting && /Connection error/.test(line)))
    assert(!/ERROR|Error:/.test(lines.join('\n')), lines.join('\n'))
  })
  await check('README consumer script prints topic, partition, offset and value', async () => {
    const { out } = await script('consumer.js', text => (text.match(/value:/g) || []).length >= 2)
    assert(out.includes("value: 'Hello KafkaJS user!'") && out.includes("value: 'hello world'"), out)
    assert(out.includes(`topic: 'test-topic-${nonce}'`) && /partition: 0/.test(out) && /offset: '0'/.test(out), out)
  })

  const topic = `t-${nonce}`
  await check('createTopics', async () => {
    assert.strictEqual(await admin.createTopics({
      topics: [{ topic, numPartitions: 4, configEntries: [{ name: 'retention.ms', value: '3600000' }] }],
    }), true)
    assert.strictEqual(await admin.createTopics({ topics: [{ topic, numPartitions: 4 }] }), false)
  })
  await check('listTopics and fetchTopicMetadata', async () => {
    assert((await admin.listTopics()).includes(topic))
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.strictEqual(topics[0].partitions.length, 4)
  })

  const producer = kafka.producer()
  await check('producer connects', () => producer.connect())
  await check('send by key, partition and to all', async () => {
    const messages = Array.from({ length: 100 }, (_, i) => ({ key: `k${i}`, value: `v${i}` }))
    await producer.send({ topic, messages })
    await producer.send({ topic, messages: [{ value: 'p2', partition: 2 }], acks: 1 })
    const read = await readAll(topic, m => m.length >= 101)
    assert.strictEqual(new Set(read.map(m => m.value.toString())).size, 101)
    assert.strictEqual(read.find(m => m.value.toString() === 'p2').partition, 2)
  })
  await check('acks=0', async () => {
    const t = `acks0-${nonce}`
    await admin.createTopics({ topics: [{ topic: t }] })
    await producer.send({ topic: t, acks: 0, messages: [{ value: 'fire and forget' }] })
    assert.strictEqual((await readAll(t, m => m.length >= 1))[0].value.toString(), 'fire and forget')
  })
  await check('sendBatch to several topics', async () => {
    const [a, b] = [`a-${nonce}`, `b-${nonce}`]
    await producer.sendBatch({
      topicMessages: [{ topic: a, messages: [{ value: '1' }] }, { topic: b, messages: [{ value: '2' }] }],
    })
    assert.strictEqual((await readAll(b, m => m.length >= 1))[0].value.toString(), '2')
  })
  await check('headers, null key, null value, timestamp', async () => {
    const t = `h-${nonce}`
    await producer.send({
      topic: t,
      messages: [
        { value: 'x', headers: { trace: 'abc', many: ['1', '2'] }, timestamp: '1700000000000' },
        { key: 'tombstone', value: null },
      ],
    })
    const read = await readAll(t, m => m.length >= 2)
    assert.strictEqual(read[0].headers.trace.toString(), 'abc')
    assert.deepStrictEqual(read[0].headers.many.map(String), ['1', '2'])
    assert.strictEqual(read[0].timestamp, '1700000000000')
    assert.strictEqual(read[0].key, null)
    assert.strictEqual(read[1].value, null)
  })
  for (const [name, compression] of Object.entries({
    gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy,
  })) {
    await check(`compression ${name}`, async () => {
      const t = `${name}-${nonce}`
      const messages = Array.from({ length: 500 }, (_, i) => ({ value: `${name} message number ${i} `.repeat(8) }))
      await producer.send({ topic: t, compression, messages })
      const read = await readAll(t, m => m.length >= 500)
      assert.strictEqual(read[499].value.toString(), messages[499].value)
      assert.strictEqual(read[499].offset, '499')
    })
  }
  await check('idempotent producer', async () => {
    const t = `idem-${nonce}`
    const idempotent = kafka.producer({ idempotent: true })
    await idempotent.connect()
    for (let i = 0; i < 20; i += 1) {
      await idempotent.send({ topic: t, messages: [{ value: `${i}` }] })
    }
    await idempotent.disconnect()
    const read = await readAll(t, m => m.length >= 20)
    assert.deepStrictEqual(read.map(m => m.value.toString()), Array.from({ length: 20 }, (_, i) => `${i}`))
  })
  await check('a large message and a too large one', async () => {
    const t = `large-${nonce}`
    await producer.send({ topic: t, messages: [{ value: Buffer.alloc(900000, 'x') }] })
    await assert.rejects(
      kafka.producer({ retry: { retries: 0 } }).connect().then(() => producer.send({
        topic: t, messages: [{ value: Buffer.alloc(3000000, 'x') }],
      })), /larger than|too large|max message size/i)
    assert.strictEqual((await readAll(t, m => m.length >= 1))[0].value.length, 900000)
  })

  await check('two members share four partitions; one leaves', async () => {
    const t = `share-${nonce}`
    const groupId = `g-${nonce}`
    await admin.createTopics({ topics: [{ topic: t, numPartitions: 4 }] })
    const owned = {}
    const seen = new Set()
    const member = async name => {
      const consumer = kafka.consumer({
        groupId, sessionTimeout: 10000, heartbeatInterval: 500,
        partitionAssigners: [PartitionAssigners.roundRobin],
      })
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        owned[name] = payload.memberAssignment[t] || []
      })
      await consumer.connect()
      await consumer.subscribe({ topic: t, fromBeginning: true })
      await consumer.run({ eachMessage: async ({ message }) => { seen.add(message.value.toString()) } })
      return consumer
    }
    const until = async (what, test) => {
      for (let i = 0; i < 300; i += 1) {
        if (test()) return
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      throw new Error(`never: ${what}: ${JSON.stringify(owned)}`)
    }
    const one = await member('one')
    await until('one owns all', () => (owned.one || []).length === 4)
    const two = await member('two')
    await until('two each', () => (owned.one || []).length === 2 && (owned.two || []).length === 2)
    assert.deepStrictEqual([...owned.one, ...owned.two].sort(), [0, 1, 2, 3])
    await producer.send({
      topic: t, messages: Array.from({ length: 40 }, (_, i) => ({ value: `${i}`, partition: i % 4 })),
    })
    await until('all read', () => seen.size === 40)
    await two.disconnect()
    await until('one owns all again', () => owned.one.length === 4)
    const { groups } = await admin.describeGroups([groupId])
    assert.strictEqual(groups[0].state, 'Stable')
    assert.strictEqual(groups[0].members.length, 1)
    assert((await admin.listGroups()).groups.some(g => g.groupId === groupId))
    await one.disconnect()
    const offsets = await admin.fetchOffsets({ groupId, topics: [t] })
    const sum = offsets[0].partitions.reduce((total, p) => total + Number(p.offset), 0)
    assert.strictEqual(sum, 40)
  })
  await check('a group goes on from its committed offset', async () => {
    const t = `resume-${nonce}`
    const groupId = `resume-g-${nonce}`
    await producer.send({ topic: t, messages: [{ value: '0' }, { value: '1' }, { value: '2' }] })
    const take = async count => {
      const consumer = kafka.consumer({ groupId })
      const got = []
      await consumer.connect()
      await consumer.subscribe({ topic: t, fromBeginning: true })
      await new Promise(resolve => {
        consumer.run({
          autoCommit: false,
          eachMessage: async ({ partition, message }) => {
            if (got.length >= count) return
            got.push(message.value.toString())
            await consumer.commitOffsets([{ topic: t, partition, offset: `${Number(message.offset) + 1}` }])
            if (got.length === count) resolve()
          },
        })
      })
      await consumer.disconnect()
      return got
    }
    assert.deepStrictEqual(await take(2), ['0', '1'])
    assert.deepStrictEqual(await take(1), ['2'])
  })
  await check('pause, resume and seek', async () => {
    const t = `seek-${nonce}`
    await producer.send({ topic: t, messages: Array.from({ length: 10 }, (_, i) => ({ value: `${i}` })) })
    const consumer = kafka.consumer({ groupId: `seek-g-${nonce}` })
    const got = []
    await consumer.connect()
    await consumer.subscribe({ topic: t, fromBeginning: true })
    await new Promise(resolve => {
      consumer.run({
        eachMessage: async ({ message }) => {
          got.push(message.value.toString())
          if (got.length === 10) {
            consumer.pause([{ topic: t }])
            consumer.seek({ topic: t, partition: 0, offset: '7' })
            consumer.resume([{ topic: t }])
          }
          if (got.length === 13) resolve()
        },
      })
    })
    await consumer.disconnect()
    assert.deepStrictEqual(got.slice(10), ['7', '8', '9'])
  })

  await check('fetchTopicOffsets and by timestamp', async () => {
    const t = `off-${nonce}`
    await producer.send({
      topic: t,
      messages: [{ value: 'a', timestamp: '1000000000000' }, { value: 'b', timestamp: '1000000001000' }],
    })
    const [latest] = await admin.fetchTopicOffsets(t)
    assert.strictEqual(latest.high, '2')
    assert.strictEqual(latest.low, '0')
    const [at] = await admin.fetchTopicOffsetsByTimestamp(t, 1000000000500)
    assert.strictEqual(at.offset, '1')
  })
  await check('setOffsets, resetOffsets', async () => {
    const t = `off-${nonce}`
    await persist(async tries => {
      const groupId = `set-${nonce}-${tries}`
      await admin.setOffsets({ groupId, topic: t, partitions: [{ partition: 0, offset: '1' }] })
      assert.strictEqual((await admin.fetchOffsets({ groupId, topics: [t] }))[0].partitions[0].offset, '1')
      await admin.resetOffsets({ groupId, topic: t, earliest: true })
      const after = (await admin.fetchOffsets({ groupId, topics: [t], resolveOffsets: true }))[0].partitions[0].offset
      assert(['0', '-2'].includes(after), after)
      await admin.deleteGroups([groupId])
    })
  })
  await check('createPartitions', async () => {
    await admin.createPartitions({ topicPartitions: [{ topic, count: 6 }] })
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.strictEqual(topics[0].partitions.length, 6)
  })
  await check('describeConfigs and alterConfigs', async () => {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic }]
    const before = await admin.describeConfigs({ includeSynonyms: false, resources })
    const value = (answer, name) => answer.resources[0].configEntries.find(e => e.configName === name).configValue
    assert.strictEqual(value(before, 'retention.ms'), '3600000')
    await admin.alterConfigs({
      validateOnly: false, resources: [{ ...resources[0], configEntries: [{ name: 'retention.ms', value: '7200000' }] }],
    })
    assert.strictEqual(value(await admin.describeConfigs({ includeSynonyms: false, resources }), 'retention.ms'), '7200000')
  })
  await check('describeCluster', async () => {
    let cluster = await admin.describeCluster()
    // One that is away at this moment is back soon.
    for (let i = 0; restarting && cluster.brokers.length < brokers.length && i < 150; i += 1) {
      await new Promise(resolve => setTimeout(resolve, 200))
      cluster = await admin.describeCluster()
    }
    assert.strictEqual(cluster.brokers.length, brokers.length)
    assert(cluster.clusterId)
    assert(cluster.brokers.some(broker => broker.nodeId === cluster.controller))
  })
  await check('deleteTopicRecords', async () => {
    const t = `del-${nonce}`
    await producer.send({ topic: t, messages: Array.from({ length: 5 }, (_, i) => ({ value: `${i}` })) })
    await admin.fetchTopicOffsets(t) // kafkajs deletes only from topics whose metadata it has loaded
    await persist(() => admin.deleteTopicRecords({ topic: t, partitions: [{ partition: 0, offset: '3' }] }))
    const [offsets] = await admin.fetchTopicOffsets(t)
    assert.strictEqual(offsets.low, '3')
    assert.deepStrictEqual((await readAll(t, m => m.length >= 2)).map(m => m.value.toString()), ['3', '4'])
  })
  await check('deleteTopics', async () => {
    await admin.deleteTopics({ topics: [topic] })
    assert(!(await admin.listTopics()).includes(topic))
  })
  await producer.disconnect().catch(() => {})
  await admin.disconnect().catch(() => {})
  process.exit(failures ? 1 : 0)
}

main()

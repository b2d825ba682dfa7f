// kafkajs under a cluster that is disturbed, alone, as it has no zstd: writes one JSON object a line to standard output, see
// pure/ottla-judge/src/lines.rs. Goes on until standard input ends, then waits for every outcome. Its producer
// is a plain one: what it sends again may be there twice.
const { Kafka, logLevel } = require('kafkajs')

const topics = process.env.TOPICS.split(',').map(word => word.split(':')).map(([name, n]) => [name, Number(n)])
const group = process.env.GROUPS_READ.split(',')[0]
const rate = Number(process.env.RATE || '150')
const kafka = new Kafka({
  clientId: 'torture', brokers: process.env.BOOTSTRAP.split(','), logLevel: logLevel.NOTHING, connectionTimeout: 3000,
  requestTimeout: 10000, retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 60 },
})
// SplitMix32: the same choices for the same seed.
let state = Number(process.env.SEED || '1') >>> 0
function below(limit) {
  state = (state + 0x9e3779b9) >>> 0
  let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return ((mixed ^ (mixed >>> 15)) >>> 0) % limit
}
let stopping = false
const sleep = ms => new Promise(resolve => setTimeout(resolve, ms))
function note(event) {
  const t = String(BigInt(Date.now()) * 1000000n)
  process.stdout.write(`{"t":${t},${JSON.stringify(event).slice(1)}\n`)
}

async function produce(who) {
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  while (!stopping) {
    try { await producer.connect(); break } catch (error) { await sleep(200) }
  }
  let count = 0
  const open = new Set()
  while (!stopping) {
    const [topic, partitions] = topics[below(topics.length)]
    const partition = below(partitions)
    const messages = Array.from({ length: 1 + below(30) }, () => ({
      partition, value: `${who}:${count++}|${'x'.repeat([0, 10, 100, 300][below(4)])}`,
    }))
    const values = messages.map(message => message.value.split('|')[0])
    values.forEach(v => note({ who, ev: 'send', topic, p: partition, v }))
    const sent = producer.send({ topic, messages, acks: -1, timeout: 5000 }).then(
      ([answer]) => values.forEach((v, i) => note({ who, ev: 'ack', topic, p: partition, v, o: Number(answer.baseOffset) + i })),
      () => values.forEach(v => note({ who, ev: 'fail', topic, p: partition, v })),
    ).finally(() => open.delete(sent))
    open.add(sent)
    while (open.size > 100 && !stopping) await sleep(20)
    await sleep(below(Math.ceil(30000 / rate)))
  }
  await Promise.race([Promise.all(open), sleep(120000)])
}

// One membership after the other, each of which commits what it has read.
async function consume(name) {
  for (let life = 1; !stopping; life += 1) {
    const who = `${name}.${life}`
    const consumer = kafka.consumer({ groupId: group, sessionTimeout: 6000, heartbeatInterval: 500, maxWaitTimeInMs: 100 })
    consumer.on(consumer.events.GROUP_JOIN, () => note({ who, ev: 'seek' }))
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: topics.map(([topic]) => topic), fromBeginning: true })
      await consumer.run({
        autoCommit: false,
        eachBatch: async ({ batch, isRunning, isStale }) => {
          if (!isRunning() || isStale() || !batch.messages.length) return
          for (const message of batch.messages) {
            const v = message.value.toString().split('|')[0]
            note({ who, ev: 'read', topic: batch.topic, p: batch.partition, o: Number(message.offset), v })
          }
          const place = { group, topic: batch.topic, p: batch.partition, o: Number(batch.lastOffset()) + 1 }
          note({ who, ev: 'try_commit', ...place })
          try {
            await consumer.commitOffsets([{ topic: batch.topic, partition: batch.partition, offset: String(place.o) }])
          } catch (error) {
            // It reads the batch again.
            note({ who, ev: 'seek' })
            throw error
          }
          // One that is being stopped says nothing of a commit that failed.
          if (isRunning()) note({ who, ev: 'commit', ...place })
        },
      })
      const leave = Date.now() + 5000 + below(35000)
      while (!stopping && Date.now() < leave) await sleep(100)
    } catch (error) {
      await sleep(200)
    }
    await consumer.disconnect().catch(() => {})
  }
}

const work = [produce('jsplain'), consume('jsread0'), consume('jsread1')]
process.stdin.resume()
process.stdin.on('end', () => { stopping = true })
Promise.all(work).then(() => process.stdout.write('', () => process.exit(0)))

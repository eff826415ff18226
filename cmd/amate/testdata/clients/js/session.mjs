// One session that every client goes through, each by its own means: client has
// the methods used below. An error must carry the HTTP status, which client.status
// finds in it. Prints a line for what went wrong, and at the end how much was checked.
import assert from 'node:assert/strict'

let checks = 0

function check(what, test) {
  checks++
  try {
    test()
  } catch (e) {
    console.log(`${what}: ${e.message}`)
    process.exitCode = 1
  }
}

async function refused(what, status, client, promise) {
  let got = 'an answer'
  try {
    await promise
  } catch (e) {
    got = client.status(e) ?? e.message
  }
  check(what, () => assert.equal(got, status))
}

const system = 'http://example.org/clients'

const patient = (name) => ({
  resourceType: 'Patient',
  identifier: [{ system, value: name }],
  name: [{ family: 'Ñúñez', given: ['Ana', 'María'] }],
  gender: 'female',
  birthDate: '1990-05',
})

// observations is a transaction: a patient, unless there is one, and n Observations of them.
function observations(name, n) {
  const subject = 'urn:uuid:4f0c3d2e-8d7c-4f6c-9d55-0f6f3f0a2b11'
  const entry = [{
    fullUrl: subject,
    resource: patient(name),
    request: { method: 'POST', url: 'Patient', ifNoneExist: `identifier=${system}|${name}` },
  }]
  for (let i = 0; i < n; i++) {
    entry.push({
      resource: {
        resourceType: 'Observation', status: 'final', code: { text: `reading ${i}` },
        subject: { reference: subject }, valueQuantity: { value: i + 0.5, unit: 'kg', system: 'http://unitsofmeasure.org', code: 'kg' },
      },
      request: { method: 'POST', url: 'Observation' },
    })
  }
  return { resourceType: 'Bundle', type: 'transaction', entry }
}

export async function session(name, client) {
  const metadata = await client.capabilities()
  check('metadata', () => {
    assert.equal(metadata.resourceType, 'CapabilityStatement')
    assert.equal(metadata.fhirVersion, '4.0.1')
  })

  const made = await client.create(patient(name))
  check('create', () => {
    assert.equal(made.meta.versionId, '1')
    assert.equal(made.name[0].family, 'Ñúñez')
  })
  const id = made.id
  const read = await client.read('Patient', id)
  check('read', () => assert.deepEqual(read, made))

  const second = await client.update({ ...made, active: true }, 'W/"1"')
  check('update', () => {
    assert.equal(second.meta.versionId, '2')
    assert.equal(second.active, true)
  })
  await refused('a stale update', 412, client, client.update({ ...made, active: false }, 'W/"1"'))

  const third = await client.patch('Patient', id, [{ op: 'replace', path: '/birthDate', value: '1990-05-17' }])
  check('patch', () => {
    assert.equal(third.meta.versionId, '3')
    assert.equal(third.birthDate, '1990-05-17')
    assert.equal(third.active, true)
  })
  await refused('a patch that fails', 422, client, client.patch('Patient', id, [{ op: 'remove', path: '/photo' }]))

  const done = await client.transaction(observations(name, 25))
  check('transaction', () => {
    assert.equal(done.type, 'transaction-response')
    assert.equal(done.entry.length, 26)
    assert.match(done.entry[0].response.status, /^200/) // the patient is there already
    assert.ok(done.entry.slice(1).every((e) => e.response.status.startsWith('201')))
  })

  const pages = await client.pages('Observation', { subject: `Patient/${id}`, _count: '10' })
  check('paging', () => {
    assert.deepEqual(pages.map((p) => p.length), [10, 10, 5])
    assert.equal(new Set(pages.flat().map((o) => o.id)).size, 25)
    assert.ok(pages.flat().every((o) => o.subject.reference === `Patient/${id}`))
  })
  const found = await client.pages('Patient', { family: 'nunez', birthdate: '1990-05-17', identifier: `${system}|${name}` })
  check('search', () => assert.deepEqual(found.flat().map((p) => p.id), [id]))
  await refused('a search for what does not exist', 400, client, client.pages('Patient', { shoesize: '42' }))

  const history = await client.history('Patient', id)
  check('history', () => assert.deepEqual(history.entry.map((e) => e.resource.meta.versionId), ['3', '2', '1']))
  const first = await client.vread('Patient', id, '1')
  check('vread', () => assert.deepEqual(first, made))

  await refused('an invalid create', 422, client, client.create({ resourceType: 'Patient', gender: 'unknowable' }))
  await refused('a read of nothing', 404, client, client.read('Patient', 'nobody'))

  for (const o of pages.flat()) await client.remove('Observation', o.id)
  await client.remove('Patient', id)
  await refused('a read of what is deleted', 410, client, client.read('Patient', id))
  const last = await client.history('Patient', id)
  check('the deletion in the history', () => {
    assert.equal(last.entry.length, 4)
    assert.equal(last.entry[0].request.method, 'DELETE')
  })
  console.log(`${checks} checks`)
}

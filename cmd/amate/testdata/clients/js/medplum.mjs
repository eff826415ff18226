globalThis.WebSocket ??= class {} // which Medplum expects to be there, and no part of this session uses
const { MedplumClient } = await import('@medplum/core')
const { session } = await import('./session.mjs')

const base = new URL(process.argv[2])
const medplum = new MedplumClient({ baseUrl: base.origin, fhirUrlPath: base.pathname.slice(1), cacheTime: 0, autoBatchTime: 0 })

// An OperationOutcome has no place for the status, so it is taken from the response.
let status
const plain = globalThis.fetch
globalThis.fetch = async (...args) => {
  const response = await plain(...args)
  status = response.status
  return response
}
medplum.fetch = globalThis.fetch

await session('medplum', {
  status: (e) => (e.outcome?.resourceType === 'OperationOutcome' ? status : undefined),
  capabilities: () => medplum.get(medplum.fhirUrl('metadata')),
  create: (resource) => medplum.createResource(resource),
  read: (type, id) => medplum.readResource(type, id),
  vread: (type, id, version) => medplum.readVersion(type, id, version),
  update: (resource, ifMatch) => medplum.updateResource(resource, { headers: { 'If-Match': ifMatch } }),
  patch: (type, id, operations) => medplum.patchResource(type, id, operations),
  remove: (type, id) => medplum.deleteResource(type, id),
  transaction: (bundle) => medplum.executeBatch(bundle),
  history: (type, id) => medplum.readHistory(type, id),
  async pages(type, query) {
    const all = []
    for await (const page of medplum.searchResourcePages(type, query)) all.push([...page])
    return all
  },
})

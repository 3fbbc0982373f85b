// What tus-js-client, as it is installed, gets from a server in each situation. Run in Node and in a page of the site.
// given: endpoint, headers, and the addresses of uploads that are locked, foreign, expired. Answers with plain values.
async function conformance(tus, given, sourceOf) {
  const content = new Uint8Array(300_000).map((_, index) => (index * 31 + (index >> 8)) & 255)
  const source = sourceOf(content)
  const found = {}

  function run(options, whilst = () => {}) {
    return new Promise((resolve) => {
      const seen = { job: null, began: null }
      const upload = new tus.Upload(source, {
        headers: given.headers,
        chunkSize: 100_000,
        retryDelays: null,
        storeFingerprintForResuming: false,
        metadata: { filename: 'talk.mp3', filetype: 'audio/mpeg' },
        onAfterResponse: (request, response) => {
          seen.job = response.getHeader('X-Job') ?? seen.job
        },
        onProgress: (sent) => {
          seen.began ??= sent
        },
        onSuccess: () => resolve({ ...seen, done: true, url: upload.url }),
        onError: (error) => resolve({ ...seen, done: false, status: error.originalResponse?.getStatus() ?? null }),
        ...options,
        onChunkComplete: (size, sent) => whilst(upload, sent, resolve),
      })
      upload.start()
    })
  }

  const { endpoint } = given
  found.whole = await run({ endpoint })
  found.atOnce = await run({ endpoint, chunkSize: Infinity, uploadDataDuringCreation: true })

  const cut = await run({ endpoint }, (upload, sent, resolve) => {
    upload.abort().then(() => resolve({ url: upload.url, sent }))
  })
  const offset = (await new Promise((resolve) => run({ uploadUrl: cut.url }, (upload, sent) => upload.abort().then(() => resolve(sent))).then(resolve)))
  found.resumed = { sentBefore: cut.sent, offset: typeof offset === 'number' ? offset : null }
  found.again = await run({ uploadUrl: cut.url })

  const ended = await run({ endpoint }, (upload, sent, resolve) => {
    upload.abort(true).then(() => resolve({ url: upload.url }))
  })
  found.terminated = await run({ uploadUrl: ended.url })

  // A browser adds to a header that is set already, so what the client says wrongly is brought about from outside.
  function ask(method, url, headers, body) {
    return fetch(url, { method, body, headers: { 'Tus-Resumable': '1.0.0', ...given.headers, ...headers } })
  }

  let overtaken = false
  found.wrongOffset = await run({
    endpoint,
    async onBeforeRequest(request) {
      if (request.getMethod() !== 'PATCH' || overtaken) return
      overtaken = true
      const headers = { 'Upload-Offset': '0', 'Content-Type': 'application/offset+octet-stream' }
      await ask('PATCH', request.getURL(), headers, content.slice(0, 7))
    },
  })
  const short = await ask('POST', endpoint, { 'Upload-Length': '5' })
  found.wrongLength = await run({ uploadUrl: new URL(short.headers.get('Location'), endpoint).href })
  for (const name of ['locked', 'foreign', 'expired']) found[name] = await run({ uploadUrl: given[name] })
  return found
}

// `node conformance.mjs '{"endpoint": …}'`: conformance.js in Node; prints what it found as JSON.
import { readFileSync } from 'node:fs'
import * as tus from 'tus-js-client'

const text = readFileSync(new URL('conformance.js', import.meta.url), 'utf8')
const conformance = new Function(`${text}; return conformance`)()
console.log(JSON.stringify(await conformance(tus, JSON.parse(process.argv[2]), (bytes) => Buffer.from(bytes))))

// Hocuspocus with its defaults: PORT from the environment, and where SQLITE names a file, its SQLite extension.
import { SQLite } from '@hocuspocus/extension-sqlite'
import { Server } from '@hocuspocus/server'

const { HOST, PORT, SQLITE } = process.env
const extensions = SQLITE ? [new SQLite({ database: SQLITE })] : []

await new Server({ address: HOST, port: Number(PORT), quiet: true, extensions }).listen()

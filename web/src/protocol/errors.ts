/**
 * What a close code asks of the client, in one table (docs/protocol.md, "Close codes").
 *
 * A code closes either the whole socket or, in CLOSED, one channel; the client does the same thing for both.
 */

/** `stop`: tell the person; `retry`: back off, then come again; `replaced`: keep the local copy aside, open fresh. */
export type CloseAction = 'stop' | 'retry' | 'replaced'

export interface CloseCode {
  readonly action: CloseAction
  /** A sentence for a person, for where the server gave none. */
  readonly sentence: string
}

/** The document is there, and nobody gets it until the server's operator has seen to it. */
export const UNREADABLE = 4423

export const CLOSE_CODES: Readonly<Record<number, CloseCode>> = {
  1003: { action: 'stop', sentence: 'The server does not understand this version of the editor.' },
  1009: { action: 'stop', sentence: 'The last change is too large for the server.' },
  1012: { action: 'retry', sentence: 'The server is restarting.' },
  1013: { action: 'retry', sentence: 'The server cannot take changes at the moment.' },
  4400: { action: 'stop', sentence: 'The server did not understand what this editor sent.' },
  4401: { action: 'stop', sentence: 'You are not signed in.' },
  4403: { action: 'stop', sentence: 'You may not open this document.' },
  4404: { action: 'stop', sentence: 'This document does not exist any more.' },
  4408: { action: 'retry', sentence: 'The connection fell silent.' },
  4409: { action: 'replaced', sentence: 'The document was replaced on the server.' },
  4413: { action: 'stop', sentence: 'The document or the last change is over the size limit.' },
  4423: { action: 'stop', sentence: 'The server cannot read this document.' },
  4429: { action: 'retry', sentence: 'Too many changes in a short time.' },
}

/**
 * Look a close code up; codes of the application's range that this version does not know stop the client, since a
 * newer server says with them something that trying again will not mend. Any other code is a lost line.
 */
export function closeCode(code: number): CloseCode {
  const known = CLOSE_CODES[code]
  if (known !== undefined) return known
  if (code >= 4400 && code <= 4499) {
    return { action: 'stop', sentence: `The server ended the connection (code ${code}).` }
  }
  return { action: 'retry', sentence: 'The connection to the server was lost.' }
}

/** The peer broke the protocol; `code` is what the socket is closed with. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'

  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message)
  }
}

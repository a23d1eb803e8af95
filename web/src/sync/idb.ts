/** IndexedDB's requests and transactions as promises; nothing else. */

export function openDatabase(
  factory: IDBFactory,
  name: string,
  version: number,
  upgrade: (database: IDBDatabase) => void,
): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = factory.open(name, version)
    request.onupgradeneeded = () => upgrade(request.result)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
    request.onblocked = () => reject(new Error(`another page holds an older ${name}`))
  })
}

export function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve()
    transaction.onabort = () => reject(transaction.error ?? new Error('the transaction was aborted'))
  })
}

/** Call `receive` with the result, inside the request's transaction, where further requests can be made. */
export function whenRead<T>(request: IDBRequest<T>, receive: (value: T) => void): void {
  request.onsuccess = () => receive(request.result)
}

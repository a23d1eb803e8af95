/** A name for a file, out of the title or the last part of the document's name. */
export function fileNameOf(name: string, title: string, extension: string): string {
  const stem = (title || name.slice(name.lastIndexOf('/') + 1)).replace(/[\p{Cc}\\/:*?"<>|]+/gu, '-').trim() || 'document'
  if (extension === '') return /\.\w+$/.test(stem) ? stem : `${stem}.txt`
  return stem.endsWith(`.${extension}`) ? stem : `${stem}.${extension}`
}

/** The clipboard, which a page has only over https or on its own machine, and with permission. */

/** False where the text could not be put there. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false
  }
}

// Runs before the first paint, so that a chosen theme never flashes the other one.
// A file of its own because the Content-Security-Policy allows no inline script.
try {
  var theme = localStorage.getItem('collabdoc.theme')
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme
} catch (error) {
  // Storage is blocked: the system's theme applies.
}

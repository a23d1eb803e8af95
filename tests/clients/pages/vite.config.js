/** One page for each editor, which a server of files can hand out. */
export default {
  base: './',
  build: { target: 'es2022', rolldownOptions: { input: ['prosemirror.html', 'codemirror.html', 'quill.html'] } },
}

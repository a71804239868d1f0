/** What people add to a written file of results, which outlives the figures. */

const BEGIN = '<!-- notes: what stands from here to the end mark is kept when the file is written anew -->';
const END = '<!-- end of the notes -->';

/** @param previous the file as it was, empty when there was none */
export function notesSection(previous: string): string[] {
  const begin = previous.indexOf(BEGIN);
  const end = previous.indexOf(END, begin);
  const kept = begin < 0 || end < 0 ? '' : previous.slice(begin + BEGIN.length, end).trim();
  return ['## Notes', BEGIN, kept, END];
}

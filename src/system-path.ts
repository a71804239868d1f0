/**
 * Where the system's programs are looked for: its own directories first. npm puts packages' programs before them, one of
 * which is called nft, and a service manager's PATH may not name those for administrators at all.
 */
export const SYSTEM_PATH = [
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
  '/usr/local/sbin',
  '/usr/local/bin',
  process.env['PATH'] ?? '',
].join(':');

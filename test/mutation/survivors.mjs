/**
 * Mutants that no test kills, and why none can or need. The names are those `npm run mutation` prints; one whose place in
 * the source has changed loses its reason, which is then to be thought of anew.
 * @type {readonly { readonly why: string, readonly mutants: readonly string[] }[]}
 */
export const SURVIVORS = [
  {
    why: "Equivalent: errors of a replica on this host alone come by the stack port, and its peer has the client's own address; those of a remote one come by the wire.",
    mutants: [
      'assembly/translator/icmp.ts icmpToClient: `setAddress(p.l3, p.ipVersion, IPV4_DST, IPV6_DST, c.clientPtr);` -> removed',
    ],
  },
  {
    why: 'Equivalent: a path of 68 bytes leaves 28 for the payload, which maxPayload raises to MIN_MSS whatever was learned.',
    mutants: ['assembly/translator/icmp.ts notePathMtu: `MIN_MTU_IPV4` -> `MIN_MTU_IPV4 + 1`'],
  },
  {
    why: 'Equivalent: both sides are equal where the mutant differs, and then the same value is stored or chosen again.',
    mutants: [
      'assembly/translator/icmp.ts notePathMtu: `payload < <u32>c.pathMss` -> `payload <= <u32>c.pathMss`',
      'assembly/translator/window-field.ts windowForClient: `promised > field << shift` -> `promised >= field << shift`',
      'assembly/tracker/track.ts onSegment: `window > sender.maxWindow` -> `window >= sender.maxWindow`',
    ],
  },
  {
    why: 'Equivalent: no frame of the core is as long, so that a path of 65,535 bytes and one without limit are the same.',
    mutants: ['assembly/translator/icmp.ts notePathMtu: `0xffff` -> `65535 + 1`'],
  },
  {
    why: 'Not reachable: a frame that was received is passed on into an empty queue; bulk sending stops while there is room for an answer (TX_RESERVE); txAlloc has refused before txPush would.',
    mutants: [
      'assembly/translator/icmp.ts send: `Reason.TxQueueFull` -> `Reason.None`',
      'assembly/translator/segment.ts sendSyn: `false` -> `true`',
      'assembly/translator/tcp.ts rebuild: `Reason.TxQueueFull` -> `Reason.None` (2)',
      'assembly/translator/tcp.ts edit: `Reason.TxQueueFull` -> `Reason.None`',
    ],
  },
  {
    why: 'Not reachable: arena and table of the queue keep room for answers (TX_RESERVE), so that openSegment does not fail where closeSegment would succeed.',
    mutants: ['assembly/translator/segment.ts sendSegment: `0` -> `0 + 1` (2)'],
  },
  {
    why: 'Equivalent: room for a frame is rounded up to 16 bytes, and one byte more is never needed.',
    mutants: ['assembly/translator/segment.ts putHeaders: `8` -> `8 + 1`'],
  },
  {
    why: 'Equivalent: without options the timestamps would be written where the payload comes, or behind the frame in the arena.',
    mutants: ['assembly/translator/segment.ts openSegment: `0` -> `0 + 1` (2)'],
  },
  {
    why: 'Equivalent: nobody looks at the result; a SYN that could not be queued is repeated like one that was lost.',
    mutants: ['assembly/translator/segment.ts sendSyn: `closeSegment()` -> `!(closeSegment())`'],
  },
  {
    why: 'Equivalent: only the lowest bit counts, and a sum is odd when the difference is.',
    mutants: [
      'assembly/translator/tcp.ts replaceOption: `at - segment` -> `at + segment`',
      'assembly/translator/tcp.ts blankOption: `at + i - segment` -> `at + i + segment`',
      'assembly/translator/tcp.ts blankOption: `at + i` -> `at - i`',
      'assembly/tracker/table.ts findOnWire: `ref - 1` -> `ref + 1`',
      'assembly/tracker/table.ts findOnStack: `ref - 1` -> `ref + 1`',
    ],
  },
  {
    why: 'Equivalent: the parts of a split frame are at least MIN_MSS long, so that no offset lies between.',
    mutants: ['assembly/translator/tcp.ts rebuild: `0` -> `0 + 1` (3)'],
  },
  {
    why: 'Equivalent: the source port is the first field, at offset 0.',
    mutants: ['assembly/translator/tcp.ts edit: `l4 + TCP_SRC_PORT` -> `l4 - TCP_SRC_PORT`'],
  },
  {
    why: 'Equivalent: without the option the parser leaves the number, or the count of blocks, at 0.',
    mutants: [
      'assembly/translator/tcp.ts putOptions: `p.options & OptionBit.Sack` -> `p.options | OptionBit.Sack`',
      'assembly/tracker/track.ts openFlow: `p.options & OptionBit.Mss` -> `p.options | OptionBit.Mss`',
      'assembly/tracker/track.ts openFlow: `p.options & OptionBit.WindowScale` -> `p.options | OptionBit.WindowScale`',
    ],
  },
  {
    why: 'Equivalent: the value is 0, and so is its negation.',
    mutants: ['assembly/tracker/tcp-state.ts transition: `-(<i32>Reason.None)` -> `((<i32>Reason.None))`'],
  },
  {
    why: 'Equivalent: the parser refuses segments without an acknowledgement that are neither SYN nor RST (BadTcpFlags).',
    mutants: [
      'assembly/tracker/window.ts checkWindow: `p.flags & TcpFlag.Ack` -> `p.flags | TcpFlag.Ack`',
      'assembly/tracker/window.ts checkWindow: `0` -> `0 + 1`',
      'assembly/tracker/resync.ts noteStray: `p.flags & TcpFlag.Ack` -> `p.flags | TcpFlag.Ack`',
      'assembly/tracker/resync.ts noteStray: `0` -> `0 + 1`',
      'assembly/tracker/resync.ts noteStray: `false` -> `true`',
      'assembly/tracker/track.ts noteEcho: `p.flags & TcpFlag.Ack` -> `p.flags | TcpFlag.Ack`',
      'assembly/tracker/track.ts noteEcho: `0` -> `0 + 1` (2)',
      'assembly/tracker/track.ts onSegment: `p.flags & TcpFlag.Ack` -> `p.flags | TcpFlag.Ack`',
      'assembly/tracker/track.ts noteEarlierBytes: `p.flags & TcpFlag.Ack` -> `p.flags | TcpFlag.Ack`',
      'assembly/tracker/track.ts noteEarlierBytes: `0` -> `0 + 1`',
    ],
  },
  {
    why: 'Equivalent: the branch before has taken the case that no turn was counted.',
    mutants: ['assembly/tracker/resync.ts noteStray: `c.strayTurns > 0` -> `c.strayTurns >= 0`'],
  },
  {
    why: 'Equivalent: what one half of the condition lets pass the other refuses one turn later, and TURNS is more than one.',
    mutants: [
      'assembly/tracker/resync.ts noteStray: `c.strayEnd - lag` -> `c.strayEnd + lag`',
      'assembly/tracker/resync.ts noteStray: `end - lag` -> `end + lag`',
    ],
  },
  {
    why: 'Equivalent: the segment that moves the record is accepted, and what it says next sets the same field to the same, or to more.',
    mutants: [
      'assembly/tracker/resync.ts moveTo: `receiver.edge = p.ack;` -> removed',
      'assembly/tracker/track.ts pickUp: `receiver.end = p.ack;` -> removed',
      'assembly/tracker/track.ts pickUp: `receiver.acked = p.ack;` -> removed',
      'assembly/tracker/track.ts pickUp: `receiver.edge = p.ack;` -> removed',
    ],
  },
  {
    why: 'Equivalent: clearFlows has cleared it.',
    mutants: ['assembly/tracker/track.ts onSyn: `server.edge = 0;` -> removed'],
  },
  {
    why: 'Equivalent: a client whose SYN was seen has spoken, and then nobody asks.',
    mutants: [
      'assembly/tracker/track.ts noteEarlierBytes: `c.has(CONNECTION_FLAG_HANDSHAKE) || (p.flags & TcpFlag.Ack) == 0` -> `c.has(CONNECTION_FLAG_HANDSHAKE) && (p.flags & TcpFlag.Ack) == 0`',
    ],
  },
  {
    why: 'Equivalent: the hash is compared to save the comparison of the tuple, which decides.',
    mutants: [
      'assembly/tracker/table.ts findOnWire: `entryHash(slot) == hash && ((ref - 1) & 1) == WIRE_SIDE` -> `entryHash(slot) == hash || ((ref - 1) & 1) == WIRE_SIDE`',
      'assembly/tracker/table.ts findOnStack: `entryHash(slot) == hash && ((ref - 1) & 1) == STACK_SIDE` -> `entryHash(slot) == hash || ((ref - 1) & 1) == STACK_SIDE`',
    ],
  },
];

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
      'assembly/tracker/track.ts onAck: `seqGt(ack + window, receiver.edge)` -> `seqGe(ack + window, receiver.edge)`',
      'assembly/tracker/track.ts keepPayload: `seqLt(p.seq, sender.acked)` -> `seqLe(p.seq, sender.acked)`',
      'assembly/tracker/retained.ts firstRetained: `seqGe(seq, at)` -> `seqGt(seq, at)`',
      'assembly/tracker/retained.ts firstRetained: `seqLt(at, end)` -> `seqLe(at, end)`',
      'assembly/tracker/retained.ts contiguous: `n < limit` -> `n <= limit`',
      'assembly/tracker/retained.ts contiguous: `seqGt(blockEnd(i), at)` -> `seqGe(blockEnd(i), at)`',
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
    mutants: ['assembly/translator/tcp.ts rebuild: `0` -> `0 + 1` (5)'],
  },
  {
    why: 'Equivalent: the source port is the first field, at offset 0.',
    mutants: ['assembly/translator/tcp.ts edit: `l4 + TCP_SRC_PORT` -> `l4 - TCP_SRC_PORT`'],
  },
  {
    why: 'Equivalent: without the option the parser leaves the number, or the count of blocks, at 0.',
    mutants: [
      'assembly/translator/tcp.ts putOptions: `p.options & OptionBit.Sack` -> `p.options | OptionBit.Sack`',
      'assembly/tracker/opening.ts openFlow: `p.options & OptionBit.Mss` -> `p.options | OptionBit.Mss`',
      'assembly/tracker/opening.ts openFlow: `p.options & OptionBit.WindowScale` -> `p.options | OptionBit.WindowScale`',
      'assembly/translator/tcp.ts sackBlocksFor: `p.options & OptionBit.Sack` -> `p.options | OptionBit.Sack`',
      'assembly/translator/tcp.ts sackBlocksFor: `0` -> `0 + 1`',
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
    mutants: ['assembly/tracker/opening.ts onSyn: `server.edge = 0;` -> removed'],
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
  {
    why: 'Equivalent: there is nothing to count, to keep, to copy, to compare or to ask for where the mutant differs.',
    mutants: [
      'assembly/tracker/retained.ts retain: `left > 0` -> `left >= 0`',
      'assembly/tracker/retained.ts readRetained: `seqGt(end, at)` -> `seqGe(end, at)`',
      'assembly/tracker/retained.ts differs: `seqLt(blockSeq(i), end)` -> `seqLe(blockSeq(i), end)`',
      'assembly/tracker/retained.ts differs: `seqLt(from, to)` -> `seqLe(from, to)`',
      'assembly/tracker/record.ts noteHeard: `offset > 0` -> `offset >= 0`',
      'assembly/tracker/record.ts onRead: `seqLt(from, end)` -> `seqLe(from, end)`',
      'assembly/tracker/spill.ts wantedBytes: `seqLt(from, c.spillEnd)` -> `seqLe(from, c.spillEnd)`',
      'assembly/tracker/track.ts keepPayload: `skip < p.payloadLength` -> `skip <= p.payloadLength`',
    ],
  },
  {
    why: 'Equivalent: it is asked only whether this is 0.',
    mutants: [
      'assembly/tracker/track.ts onSegment: `1` -> `1 + 1` (2)',
      'assembly/tracker/track.ts onAck: `1` -> `1 + 1` (3)',
      'assembly/tracker/lists.ts makeReady: `1` -> `1 + 1`',
      'assembly/tracker/retained.ts fillFrom: `refused += retain(to, blockSeq(i), blockPtr(i) + HEADER, blockLength(i));` -> `refused -= retain(to, blockSeq(i), blockPtr(i) + HEADER, blockLength(i));`',
    ],
  },
  {
    why: "Equivalent: nobody asks how many of the client's bytes were refused.",
    mutants: ['assembly/tracker/record.ts keep: `0` -> `0 + 1` (3)'],
  },
  {
    why: 'Not a matter of behaviour: cost. Wherever in a chain a search begins, it finds the same block, and bytes can be compared one by one where the core compares eight.',
    mutants: [
      'assembly/tracker/retained.ts blockBefore: `chain.tail != NONE` -> `chain.tail == NONE`',
      'assembly/tracker/retained.ts blockBefore: `seqGe(seq, blockSeq(chain.tail))` -> `seqGt(seq, blockSeq(chain.tail))`',
      'assembly/tracker/retained.ts put: `chain.tail = target;` -> removed',
      'assembly/tracker/retained.ts raiseFloor: `chain.floor == NONE` -> `chain.floor != NONE`',
      'assembly/tracker/retained.ts raiseFloor: `seqLe(blockEnd(i), seq)` -> `seqLt(blockEnd(i), seq)`',
      'assembly/tracker/retained.ts raiseFloor: `seqLe(blockEnd(i), seq)` -> `seqGt(blockEnd(i), seq)`',
      'assembly/tracker/retained.ts raiseFloor: `blockNext(i) != NONE` -> `blockNext(i) == NONE`',
      'assembly/tracker/retained.ts raiseFloor: `chain.floor = i;` -> removed',
      'assembly/tracker/retained.ts seekBlock: `seqGt(blockSeq(hint), seq)` -> `seqGe(blockSeq(hint), seq)`',
      'assembly/tracker/retained.ts seekBlock: `seqGt(blockSeq(floor), seq)` -> `seqGe(blockSeq(floor), seq)`',
      'assembly/tracker/retained.ts seekBlock: `hinted && seqGt(blockSeq(hint), blockSeq(floor))` -> `hinted || seqGt(blockSeq(hint), blockSeq(floor))`',
      'assembly/tracker/retained.ts seekBlock: `hinted` -> `!(hinted)`',
      'assembly/tracker/retained.ts seekBlock: `seqGt(blockSeq(hint), blockSeq(floor))` -> `seqGe(blockSeq(hint), blockSeq(floor))`',
      'assembly/tracker/retained.ts seekBlock: `seqGt(blockSeq(hint), blockSeq(floor))` -> `seqLe(blockSeq(hint), blockSeq(floor))`',
      'assembly/tracker/retained.ts readRetained: `left > 0 && i != NONE` -> `left > 0 || i != NONE`',
      'assembly/tracker/retained.ts readRetained: `left > 0` -> `left >= 0`',
      'assembly/tracker/retained.ts readRetained: `chain.hint = i;` -> removed',
      'assembly/tracker/retained.ts differs: `chain.hint = i;` -> removed',
      'assembly/tracker/retained.ts firstDifference: `i + 8 <= n` -> `i + 8 < n`',
      'assembly/tracker/retained.ts firstDifference: `i + 8` -> `i - 8`',
      'assembly/tracker/retained.ts firstDifference: `8` -> `8 + 1`',
      'assembly/tracker/record.ts onRead: `return;` -> removed',
      'assembly/tracker/record.ts onRead: `raiseFloor(inbound.kept, end);` -> removed',
    ],
  },
  {
    why: 'Not a matter of behaviour: cost. How many records are looked at in one go, where a round begins, and from how many bytes on a record is worth handing out, is arbitrary.',
    mutants: [
      'assembly/tracker/admission.ts reclaimOver: `min<u32>(usedRecords(), RECLAIM_STEPS)` -> `max<u32>(usedRecords(), RECLAIM_STEPS)`',
      'assembly/tracker/admission.ts reclaimOver: `RECLAIM_STEPS` -> `RECLAIM_STEPS + 1`',
      'assembly/tracker/spill.ts resetSpill: `cursor = 0;` -> removed',
      'assembly/tracker/spill.ts resetSpill: `0` -> `0 + 1`',
      'assembly/tracker/spill.ts resetSpill: `looked = 0;` -> removed',
      'assembly/tracker/spill.ts resetSpill: `0` -> `0 + 1` (2)',
      'assembly/tracker/spill.ts spillNext: `min<u32>(LOOK, used)` -> `max<u32>(LOOK, used)`',
      'assembly/tracker/spill.ts spillNext: `LOOK` -> `LOOK + 1`',
      'assembly/tracker/spill.ts spillNext: `looked > used` -> `looked >= used`',
      'assembly/tracker/spill.ts spillNext: `1` -> `1 + 1`',
      'assembly/tracker/spill.ts spillNext: `bytes < least` -> `bytes <= least`',
      'assembly/tracker/spill.ts spillNext: `bytes >= WORTHWHILE_BYTES` -> `bytes > WORTHWHILE_BYTES`',
      'assembly/tracker/spill.ts spillNext: `0` -> `0 + 1` (4)',
      'assembly/tracker/spill.ts missingFrom: `AHEAD_BYTES` -> `AHEAD_BYTES + 1`',
    ],
  },
  {
    why: 'Not a matter of behaviour: NEAR is half of what would still be right, so that it makes no difference on which side of it a number is.',
    mutants: [
      'assembly/tracker/record.ts onDelivered: `<i64>(outbound.passed - c.copyOffset) > NEAR` -> `<i64>(outbound.passed - c.copyOffset) >= NEAR`',
      'assembly/tracker/record.ts onDelivered: `NEAR` -> `NEAR + 1`',
    ],
  },
  {
    why: 'Not tried: more than 1,024 connections would have to ask for their bytes at once.',
    mutants: [
      'assembly/tracker/spill.ts askAhead: `asked - answered >= ASKING` -> `asked - answered > ASKING`',
      'assembly/tracker/spill.ts askAhead: `ASKING` -> `ASKING + 1`',
    ],
  },
  {
    why: 'Equivalent: what is left in the ring names connections that have not asked, or that have nothing with the host, and is passed over; whoever has asked wants bytes until they are supplied.',
    mutants: [
      'assembly/tracker/spill.ts resetSpill: `asked = 0;` -> removed',
      'assembly/tracker/spill.ts wanted: `continue;` -> removed',
    ],
  },
  {
    why: 'Equivalent: only a complete record keeps what has been acknowledged and read.',
    mutants: [
      'assembly/tracker/spill.ts spillable: `stateOf(c) == TcpState.Free || recordOf(c) != RecordState.Complete` -> `stateOf(c) == TcpState.Free && recordOf(c) != RecordState.Complete`',
    ],
  },
  {
    why: 'Equivalent: the chain is not empty there.',
    mutants: ['assembly/tracker/spill.ts handOut: `0` -> `0 + 1`'],
  },
  {
    why: "Not reachable: only the client's chain has a floor, and only the server's is moved.",
    mutants: [
      'assembly/tracker/retained.ts moveBefore: `chain.floor == i` -> `chain.floor != i`',
      'assembly/tracker/retained.ts moveBefore: `chain.floor = NONE;` -> removed',
    ],
  },
  {
    why: 'Equivalent: the bytes of the record, or of the flow, have just been set to 0.',
    mutants: [
      'assembly/tracker/blocks.ts emptyChain: `chain.bytes = 0;` -> removed',
      'assembly/tracker/blocks.ts emptyChain: `chain.blocks = 0;` -> removed',
      'assembly/tracker/table.ts addConnection: `c.phase = <u8>Phase.Direct;` -> removed',
      'assembly/tracker/service.ts takeService: `memory.fill(changetype<usize>(s) + SERVICE_STATE, 0, SERVICE_BYTES - SERVICE_STATE);` -> removed',
      'assembly/tracker/service.ts takeService: `SERVICE_BYTES - SERVICE_STATE` -> `SERVICE_BYTES + SERVICE_STATE`',
    ],
  },
  {
    why: "Equivalent: a chain is empty when it begins to be a record's.",
    mutants: [
      'assembly/tracker/blocks.ts changeBudget: `recordInUse += chain.blocks;` -> removed',
      'assembly/tracker/blocks.ts changeBudget: `recordInUse += chain.blocks;` -> `recordInUse -= chain.blocks;`',
    ],
  },
  {
    why: 'Equivalent: how many blocks wait to be compared is asked only when the replica is further behind than any chain reaches.',
    mutants: ['assembly/tracker/blocks.ts handOver: `into.blocks++;` -> removed'],
  },
  {
    why: 'Not reachable: a mark is refused whole, or cut where a block ends, and blocks hold a multiple of 4 bytes.',
    mutants: ['assembly/tracker/causes.ts noteCause: `0` -> `0 + 1`'],
  },
  {
    why: 'Equivalent: a window field of any scale tells less than NEAR.',
    mutants: [
      'assembly/translator/window-field.ts roomForReplica: `<i64>(outbound.passed - c.copyOffset) > NEAR` -> `<i64>(outbound.passed - c.copyOffset) >= NEAR`',
    ],
  },
  {
    why: 'Equivalent: a promise of one byte matters only where the field is 0, and there the replica has no room.',
    mutants: ['assembly/translator/window-field.ts windowForClient: `0` -> `0 + 1` (4)'],
  },
  {
    why: 'Equivalent: nothing was given back, so that there is no record the second time either.',
    mutants: ['assembly/tracker/admission.ts evictHalfOpen: `false` -> `true`'],
  },
  {
    why: 'Equivalent: set anew before anybody asks: by the SYN-ACK, by the first acknowledgement, or by what the server sends first.',
    mutants: [
      'assembly/tracker/opening.ts onSyn: `0` -> `0 + 1` (2)',
      'assembly/tracker/opening.ts beginIncarnation: `c.unseen = 0;` -> removed',
      'assembly/tracker/opening.ts beginIncarnation: `0` -> `0 + 1` (4)',
      'assembly/tracker/opening.ts onSynAck: `client.edge = isn + 1;` -> removed',
      'assembly/tracker/opening.ts onSynAck: `isn + 1` -> `isn - 1` (2)',
      'assembly/tracker/opening.ts onSynAck: `1` -> `1 + 1` (3)',
      'assembly/tracker/table.ts addConnection: `c.state = <u8>TcpState.Closed;` -> removed',
    ],
  },
  {
    why: 'Not reachable: the SYN-ACK has acknowledged the SYN before anything is read.',
    mutants: [
      'assembly/tracker/record.ts onRead: `before + 1` -> `before - 1`',
      'assembly/tracker/record.ts onRead: `1` -> `1 + 1`',
    ],
  },
  {
    why: 'Equivalent: the record is trimmed there, which is asked for too.',
    mutants: ['assembly/tracker/record.ts onRead: `false` -> `true`'],
  },
  {
    why: 'Equivalent: no block ends before the first byte.',
    mutants: ['assembly/tracker/record.ts onDelivered: `outbound.isn + 1` -> `outbound.isn - 1`'],
  },
  {
    why: 'Equivalent: the record behind the last service has neither an address nor ports.',
    mutants: [
      'assembly/tracker/service.ts findServiceByAddress: `i < services` -> `i <= services`',
      'assembly/tracker/service.ts findService: `i < services` -> `i <= services`',
    ],
  },
  {
    why: 'Not a matter of behaviour: a generation is only compared with another of its record.',
    mutants: ['assembly/tracker/table.ts addConnection: `0` -> `0 + 1`'],
  },
  {
    why: 'Equivalent: asked only while the record waits in the ready queue, which a new one does not.',
    mutants: ['assembly/tracker/table.ts addConnection: `0` -> `0 + 1` (3)'],
  },
  {
    why: 'Not reachable: what is removed from the index is in it.',
    mutants: ['assembly/tracker/table.ts removeEntry: `return;` -> removed'],
  },
  {
    why: 'Equivalent: what is not in the index is not found there, and nothing is removed.',
    mutants: ['assembly/tracker/table.ts unbindStack: `return;` -> removed'],
  },
  {
    why: 'Equivalent: a place of the index is free when its reference is 0, whatever its hash.',
    mutants: ['assembly/tracker/table.ts removeEntry: `0` -> `0 + 1` (3)'],
  },
  {
    why: 'Equivalent: the lowest bit is the side, and the shift drops it.',
    mutants: ['assembly/tracker/table.ts findOnStack: `1` -> `1 + 1` (3)'],
  },
  {
    why: 'Equivalent: WIRE_SIDE is 0.',
    mutants: [
      'assembly/tracker/table.ts addConnection: `(i << 1) + WIRE_SIDE` -> `(i << 1) - WIRE_SIDE`',
      'assembly/tracker/table.ts removeConnection: `(i << 1) + WIRE_SIDE` -> `(i << 1) - WIRE_SIDE`',
    ],
  },
  {
    why: 'Equivalent: a record goes when its copy has been ended, which lets go of that.',
    mutants: ['assembly/tracker/table.ts removeConnection: `releaseAll(c.ahead);` -> removed'],
  },
  {
    why: 'Equivalent: nobody asks which list a free record is on.',
    mutants: ['assembly/tracker/table.ts removeConnection: `c.list = <u8>ListId.Free;` -> removed'],
  },
  {
    why: 'Equivalent: all ports are taken when one more is tried.',
    mutants: ['assembly/tracker/table.ts bindMappedPort: `1` -> `1 + 1`'],
  },
  {
    why: 'Equivalent: whoever ends the copy, or gives the connection up, ends its feed.',
    mutants: ['assembly/tracker/track.ts forget: `f.clear(FLOW_FLAG_FEEDING);` -> removed'],
  },
  {
    why: 'Not reachable: every segment but a SYN or RST has an acknowledgement, and its receiver counts as seen from then on; so does whoever sends a SYN.',
    mutants: [
      'assembly/tracker/track.ts onSegment: `sender.end = p.seq;` -> removed',
      'assembly/tracker/track.ts onSegment: `sender.acked = p.seq;` -> removed',
      'assembly/tracker/track.ts onSegment: `sender.edge = end;` -> removed',
      'assembly/tracker/track.ts onSegment: `sender.set(FLOW_FLAG_SEEN);` -> removed',
    ],
  },
  {
    why: 'Equivalent: what the client says next begins there, and has heard at least as much.',
    mutants: ['assembly/tracker/track.ts onSegment: `p.segmentLength > 0` -> `p.segmentLength >= 0`'],
  },
  {
    why: 'Equivalent: before a server has spoken, what its client has acknowledged is all that is known of it; and a client whose SYN was seen has spoken.',
    mutants: [
      'assembly/tracker/track.ts noteEarlierBytes: `c.has(CONNECTION_FLAG_HANDSHAKE) || (p.flags & TcpFlag.Ack) == 0 || !server.has(FLOW_FLAG_SPOKE)` -> `c.has(CONNECTION_FLAG_HANDSHAKE) || (p.flags & TcpFlag.Ack) == 0 && !server.has(FLOW_FLAG_SPOKE)`',
      'assembly/tracker/track.ts noteEarlierBytes: `return;` -> removed',
    ],
  },
  {
    why: 'Equivalent: a FIN leads to a state beyond SynSent, or is impossible, which is a negative number.',
    mutants: [
      'assembly/tracker/track.ts closeFlow: `next > 0` -> `next >= 0`',
      'assembly/tracker/track.ts closeFlow: `0` -> `0 + 1`',
      'assembly/tracker/track.ts onAck: `next > 0` -> `next >= 0`',
      'assembly/tracker/track.ts onAck: `0` -> `0 + 1`',
    ],
  },
  {
    why: 'Equivalent: the acknowledgement lies beyond the FIN, and sets the same end below.',
    mutants: [
      'assembly/tracker/track.ts onAck: `seqGt(receiver.finSeq + 1, receiver.end)` -> `seqGe(receiver.finSeq + 1, receiver.end)`',
      'assembly/tracker/track.ts onAck: `seqGt(receiver.finSeq + 1, receiver.end)` -> `seqLe(receiver.finSeq + 1, receiver.end)`',
      'assembly/tracker/track.ts onAck: `receiver.finSeq + 1` -> `receiver.finSeq - 1`',
      'assembly/tracker/track.ts onAck: `1` -> `1 + 1`',
      'assembly/tracker/track.ts onAck: `receiver.end = receiver.finSeq + 1;` -> removed',
      'assembly/tracker/track.ts onAck: `receiver.finSeq + 1` -> `receiver.finSeq - 1` (2)',
    ],
  },
  {
    why: 'Equivalent: it is written where the payload comes, or behind the frame in the arena.',
    mutants: [
      'assembly/translator/tcp.ts rebuild: `blocks > 0` -> `blocks >= 0` (2)',
      'assembly/translator/tcp.ts copySack: `i < blocks * 2` -> `i <= blocks * 2`',
      'assembly/translator/tcp.ts copySack: `2` -> `2 + 1` (2)',
    ],
  },
  {
    why: 'Equivalent: no segment has room for five blocks.',
    mutants: ['assembly/translator/tcp.ts sackBlocksFor: `SACK_BLOCKS_ALONE` -> `SACK_BLOCKS_ALONE + 1`'],
  },
  {
    why: 'Equivalent: in the last round v3 takes up v0, and v1 takes up v2, so that both cancel out of the result; the two halves of a number that is turned by 32 are folded onto each other.',
    mutants: [
      'assembly/tracker/key.ts hashTuple: `v0 = rotl<u64>(v0, 32);` -> removed (8)',
      'assembly/tracker/key.ts hashTuple: `32` -> `32 + 1` (16)',
      'assembly/tracker/key.ts hashTuple: `v0 += v3;` -> removed (8)',
      'assembly/tracker/key.ts hashTuple: `v0 += v3;` -> `v0 -= v3;` (8)',
      'assembly/tracker/key.ts hashTuple: `v2 += v1;` -> removed (8)',
      'assembly/tracker/key.ts hashTuple: `v2 += v1;` -> `v2 -= v1;` (8)',
      'assembly/tracker/key.ts hashTuple: `v2 = rotl<u64>(v2, 32);` -> removed (8)',
    ],
  },
  {
    why: 'Equivalent: what the connection that was named last lacks is looked for again instead of remembered, and found the same.',
    mutants: [
      'assembly/tracker/spill.ts wanted: `named = i;` -> removed',
      'assembly/tracker/spill.ts resetSpill: `named = NONE;` -> removed',
    ],
  },
  {
    why: 'Equivalent: a connection that asks although it lacks nothing is not named.',
    mutants: ['assembly/tracker/spill.ts askAhead: `seqLt(missing, c.spillEnd)` -> `seqLe(missing, c.spillEnd)`'],
  },
  {
    why: 'Not reachable: a connection asks when it lacks something, and only the answer changes that.',
    mutants: ['assembly/tracker/spill.ts wanted: `seqLt(from, c.spillEnd)` -> `seqLe(from, c.spillEnd)`'],
  },
];

/**
 * The core's codes in the words that people and scripts see: RFC 9293 and design terms in kebab-case. Each table has
 * one entry per code, checked by tsc, so a code cannot be added without its name.
 */
import { Counter, Loss, Phase, Reason, Risk, ServiceState, Status, TcpState } from '../../assembly/abi/codes';

// A const enum leaves nothing behind at run time, so others need these to pass codes on.
export {
  Counter,
  Dir,
  Loss,
  Phase,
  Port,
  Reason,
  RecordState,
  Risk,
  ServiceState,
  Status,
  TcpState,
} from '../../assembly/abi/codes';

type NameTable<Code extends number, Count extends Code> = Readonly<Record<Exclude<Code, Count>, string>>;

export const SERVICE_STATE_NAMES = {
  [ServiceState.Normal]: 'normal',
  [ServiceState.Recovery]: 'recovery',
  [ServiceState.Proxy]: 'proxy',
} as const satisfies NameTable<ServiceState, ServiceState.Count>;

export const TCP_STATE_NAMES = {
  [TcpState.Free]: 'free',
  [TcpState.SynSent]: 'syn-sent',
  [TcpState.SynReceived]: 'syn-received',
  [TcpState.Established]: 'established',
  [TcpState.ClientFin]: 'client-fin',
  [TcpState.ServerFin]: 'server-fin',
  [TcpState.BothFin]: 'both-fin',
  [TcpState.TimeWait]: 'time-wait',
  [TcpState.Closed]: 'closed',
} as const satisfies NameTable<TcpState, TcpState.Count>;

export const PHASE_NAMES = {
  [Phase.Direct]: 'direct',
  [Phase.Queued]: 'queued',
  [Phase.SynSent]: 'syn-sent',
  [Phase.Confirming]: 'confirming',
  [Phase.Live]: 'live',
  [Phase.Withheld]: 'withheld',
} as const satisfies NameTable<Phase, Phase.Count>;

export const RISK_NAMES = {
  [Risk.None]: 'none',
  [Risk.WindowScaleUnknown]: 'window-scale-unknown',
  [Risk.InboundHole]: 'inbound-hole',
  [Risk.OutboundHole]: 'outbound-hole',
  [Risk.RetainedBudget]: 'retained-budget',
  [Risk.Mptcp]: 'mptcp',
  [Risk.Fragmented]: 'fragmented',
  [Risk.RecordBudget]: 'record-budget',
  [Risk.NotShadowed]: 'not-shadowed',
  [Risk.Diverged]: 'diverged',
} as const satisfies NameTable<Risk, Risk.Count>;

export const LOSS_NAMES = {
  [Loss.None]: 'none',
  [Loss.Md5]: 'md5',
  [Loss.Ao]: 'ao',
  [Loss.ReplicaRefused]: 'replica-refused',
  [Loss.ReplicaSilent]: 'replica-silent',
  [Loss.ServerBytesMissing]: 'server-bytes-missing',
  [Loss.TupleClash]: 'tuple-clash',
  [Loss.ReplicaReset]: 'replica-reset',
  [Loss.Dismissed]: 'dismissed',
  [Loss.RecordIncomplete]: 'record-incomplete',
  [Loss.Diverged]: 'diverged',
  [Loss.ReplicaBehind]: 'replica-behind',
} as const satisfies NameTable<Loss, Loss.Count>;

export const REASON_NAMES = {
  [Reason.None]: 'none',
  [Reason.TruncatedEthernet]: 'truncated-ethernet',
  [Reason.UnknownEtherType]: 'unknown-ether-type',
  [Reason.TooManyTags]: 'too-many-tags',
  [Reason.TruncatedIp]: 'truncated-ip',
  [Reason.BadIpVersion]: 'bad-ip-version',
  [Reason.BadIpHeaderLength]: 'bad-ip-header-length',
  [Reason.BadIpTotalLength]: 'bad-ip-total-length',
  [Reason.BadIpChecksum]: 'bad-ip-checksum',
  [Reason.Fragment]: 'fragment',
  [Reason.TooManyExtensionHeaders]: 'too-many-extension-headers',
  [Reason.NotTcp]: 'not-tcp',
  [Reason.TruncatedTcp]: 'truncated-tcp',
  [Reason.BadTcpDataOffset]: 'bad-tcp-data-offset',
  [Reason.BadTcpFlags]: 'bad-tcp-flags',
  [Reason.BadTcpOption]: 'bad-tcp-option',
  [Reason.TruncatedPayload]: 'truncated-payload',
  [Reason.BadTcpChecksum]: 'bad-tcp-checksum',
  [Reason.TruncatedIcmp]: 'truncated-icmp',
  [Reason.IcmpNotOurs]: 'icmp-not-ours',
  [Reason.TruncatedArp]: 'truncated-arp',
  [Reason.ArpNotOurs]: 'arp-not-ours',
  [Reason.NotOurs]: 'not-ours',
  [Reason.NoConnection]: 'no-connection',
  [Reason.InvalidState]: 'invalid-state',
  [Reason.SeqAboveWindow]: 'seq-above-window',
  [Reason.SeqBelowWindow]: 'seq-below-window',
  [Reason.AckAboveWindow]: 'ack-above-window',
  [Reason.AckBelowWindow]: 'ack-below-window',
  [Reason.RstOutOfWindow]: 'rst-out-of-window',
  [Reason.SynOnLive]: 'syn-on-live',
  [Reason.Quarantined]: 'quarantined',
  [Reason.FromPrimary]: 'from-primary',
  [Reason.TableFull]: 'table-full',
  [Reason.HalfOpenBudget]: 'half-open-budget',
  [Reason.ServerClosed]: 'server-closed',
  [Reason.NotLive]: 'not-live',
  [Reason.Absorbed]: 'absorbed',
  [Reason.TxQueueFull]: 'tx-queue-full',
  [Reason.TooBig]: 'too-big',
  [Reason.TruncatedNd]: 'truncated-nd',
  [Reason.UnsolicitedSynAck]: 'unsolicited-syn-ack',
  [Reason.BadIpOption]: 'bad-ip-option',
  [Reason.Withheld]: 'withheld',
  [Reason.WithheldGap]: 'withheld-gap',
} as const satisfies NameTable<Reason, Reason.Count>;

export const COUNTER_NAMES = {
  [Counter.FramesWire]: 'frames-wire',
  [Counter.FramesStack]: 'frames-stack',
  [Counter.BytesWire]: 'bytes-wire',
  [Counter.BytesStack]: 'bytes-stack',
  [Counter.FramesOutWire]: 'frames-out-wire',
  [Counter.FramesOutStack]: 'frames-out-stack',
  [Counter.TranslatedInbound]: 'translated-inbound',
  [Counter.TranslatedOutbound]: 'translated-outbound',
  [Counter.ForgedSyn]: 'forged-syn',
  [Counter.ForgedAck]: 'forged-ack',
  [Counter.ForgedRst]: 'forged-rst',
  [Counter.FedSegments]: 'fed-segments',
  [Counter.FedBytes]: 'fed-bytes',
  [Counter.ResentSegments]: 'resent-segments',
  [Counter.ResentBytes]: 'resent-bytes',
  [Counter.SplitSegments]: 'split-segments',
  [Counter.ChecksumPatched]: 'checksum-patched',
  [Counter.ChecksumRecomputed]: 'checksum-recomputed',
  [Counter.ArpAnswered]: 'arp-answered',
  [Counter.NdAnswered]: 'nd-answered',
  [Counter.Announcements]: 'announcements',
  [Counter.IcmpTranslated]: 'icmp-translated',
  [Counter.HandshakeRetries]: 'handshake-retries',
  [Counter.RetainedDropped]: 'retained-dropped',
  [Counter.EchoAnswered]: 'echo-answered',
  [Counter.CopyBegun]: 'copy-begun',
  [Counter.CopyEnded]: 'copy-ended',
  [Counter.WithheldBytes]: 'withheld-bytes',
  [Counter.Divergences]: 'divergences',
  [Counter.RecordsLost]: 'records-lost',
  [Counter.SpilledBytes]: 'spilled-bytes',
  [Counter.SuppliedBytes]: 'supplied-bytes',
} as const satisfies NameTable<Counter, Counter.Count>;

const STATUS_NAMES = {
  [Status.Ok]: 'ok',
  [Status.BadArgument]: 'bad-argument',
  [Status.NotInitialised]: 'not-initialised',
  [Status.MemoryTooSmall]: 'memory-too-small',
  [Status.TooManyServices]: 'too-many-services',
  [Status.BadSnapshot]: 'bad-snapshot',
} as const satisfies Readonly<Record<Status, string>>;

/** A number from the core's memory as the code it is; the core writes nothing else there. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- a cast, in one place
export function asCode<Code extends number>(value: number): Code {
  return value as Code;
}

/** A code that has no name comes from a core of another version: it shows as its number. */
function nameIn(table: Readonly<Record<number, string>>, code: number): string {
  return table[code] ?? `${code}`;
}

export const serviceStateName = (state: number): string => nameIn(SERVICE_STATE_NAMES, state);
export const tcpStateName = (state: number): string => nameIn(TCP_STATE_NAMES, state);
export const phaseName = (phase: number): string => nameIn(PHASE_NAMES, phase);
export const riskName = (risk: number): string => nameIn(RISK_NAMES, risk);
export const lossName = (loss: number): string => nameIn(LOSS_NAMES, loss);
export const reasonName = (reason: number): string => nameIn(REASON_NAMES, reason);
export const counterName = (counter: number): string => nameIn(COUNTER_NAMES, counter);
export const statusName = (status: number): string => nameIn(STATUS_NAMES, status);

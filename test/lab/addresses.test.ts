/**
 * Who speaks for the service address on the wire: the primary, and from the take-over on the daemon, once for each question. The
 * backup's own kernel never does: it sends no RST, no ICMP error and no redirect about what it overhears.
 */
import test from 'ava';
import type { Program } from '../../src/demo/program';
import type { Capture } from './capture';
import type { Frame } from './pcap';
import { RST } from './pcap';
import type { LabOptions } from './lab';
import { Lab } from './lab';
import { crash, workAll } from './scenario';

const PRIMARY = Lab.mac(2);
const BACKUP = Lab.mac(3);
const ARP_REQUEST = 1;
const ECHO_REQUEST = [8, 128];
const SOLICITATION = 135;
const ADVERTISEMENT = 136;

const ON_THE_WIRE = 'arp or icmp or icmp6 or tcp or udp port 9';

const PLACES: Readonly<Record<string, LabOptions>> = {
  IPv4: {},
  IPv6: { family: 6 },
  'IPv4, forwarding on': { sysctl: { replica: { 'net.ipv4.ip_forward': 1 } } },
  'IPv6, forwarding on': { family: 6, sysctl: { replica: { 'net.ipv6.conf.all.forwarding': 1 } } },
  'IPv4, strict reverse path': { sysctl: { replica: { 'net.ipv4.conf.all.rp_filter': 1 } } },
};

for (const [place, choices] of Object.entries(PLACES)) {
  test(`${place}: one voice speaks for the service address`, async (t) => {
    let capture: Capture | undefined;
    let newcomers: Program;
    let frames: Frame[] = [];
    let service = '';
    let cutAtMs = 0;
    await crash(t, {
      ...choices,
      clientHosts: 2,
      before: async (running) => {
        const { lab } = running;
        capture = await lab.capture(lab.observer, ON_THE_WIRE);
        service = lab.address();
        await workAll(running);
      },
      cut: ({ lab }) => {
        cutAtMs = Date.now();
        lab.cut();
      },
      after: async (running) => {
        const { lab } = running;
        await workAll(running);
        // A host that has to ask who the service is.
        newcomers = await lab.connect({ connections: 5 }, lab.address(), lab.clientHosts[1]);
        await workAll({ ...running, clients: newcomers });
      },
      finish: async ({ lab, clients }) => {
        await Promise.all([lab.finish(clients), lab.finish(newcomers)]);
        frames = (await capture?.frames()) ?? [];
      },
    });
    const before = frames.filter(({ atMs }) => atMs < cutAtMs);
    const after = frames.filter(({ atMs }) => atMs >= cutAtMs);
    const claims = (some: readonly Frame[]) =>
      new Set(some.filter((frame) => claimed(frame) === service).map(({ source }) => source));

    t.deepEqual(
      [...claims(before)].filter((mac) => mac !== PRIMARY),
      [],
    );
    t.deepEqual([...claims(after)], [BACKUP]);

    const newcomer = Lab.mac(11);
    const questions = after.filter((frame) => frame.source === newcomer && asked(frame) === service);
    const answers = after.filter((frame) => frame.destination === newcomer && claimed(frame) === service);
    t.true(questions.length > 0);
    t.is(answers.length, questions.length);

    t.deepEqual(before.filter((frame) => isSuspicious(frame, service)).map(describe), []);
    const words = after.filter((frame) => isSuspicious(frame, service));
    t.deepEqual(words.filter(({ ip, tcp }) => ip?.source !== service || tcp === undefined).map(describe), []);
    t.deepEqual(
      frames.filter(({ source, tcp }) => source === BACKUP && ((tcp?.flags ?? 0) & RST) !== 0).map(describe),
      [],
    );
  });
}

/** The address that a frame says is at its sender. */
function claimed({ arp, icmp }: Frame): string | undefined {
  return arp?.sender ?? (icmp?.type === ADVERTISEMENT ? icmp.target : undefined);
}

/** The address that a frame asks for. */
function asked({ arp, icmp }: Frame): string | undefined {
  if (arp !== undefined) return arp.operation === ARP_REQUEST ? arp.target : undefined;
  return icmp?.type === SOLICITATION ? icmp.target : undefined;
}

/** Frames of the backup about the service address, or errors of its, that are neither probes nor address resolution. */
function isSuspicious({ source, ip, icmp }: Frame, service: string): boolean {
  if (source !== BACKUP || ip === undefined) return false;
  const resolves = icmp?.type === SOLICITATION || icmp?.type === ADVERTISEMENT;
  const probes = icmp !== undefined && ECHO_REQUEST.includes(icmp.type) && ip.destination === service;
  if (resolves || probes) return false;
  return ip.source === service || ip.destination === service || icmp !== undefined;
}

function describe({ source, ip, ports, tcp, icmp }: Frame): string {
  return `${source}: ${JSON.stringify({ ip, ports, tcp, icmp })}`;
}

/** The page, in a browser without a window: opened from a file, and used as people use it. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { type Browser, type Page, chromium } from 'playwright-core';
import { fileOf } from '../inspect/capture-writer';
import { captures } from './captures';

const PAGE = pathToFileURL(resolve('build/page/index.html')).href;
const EXAMPLE = 'examples/example.pcap';
const PHONE = { width: 390, height: 844 };
/** Where to look when something looks wrong; written in every run. */
const SHOTS = 'build/test/page';

let browser: Browser;

test.before(async () => {
  mkdirSync(SHOTS, { recursive: true });
  const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
  if (executablePath === undefined) throw new Error('chromium is missing: apt-get install chromium');
  // A sandbox of its own is not for root, as whom tests run in most containers.
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
});

test.after.always(() => browser.close());

async function open(t: ExecutionContext, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options });
  t.teardown(() => context.close());
  const page = await context.newPage();
  page.on('pageerror', (error) => t.fail(error.stack));
  page.on('request', (request) => {
    if (!request.url().startsWith('file:') && !request.url().startsWith('data:')) t.fail(`asks for ${request.url()}`);
  });
  await page.goto(PAGE);
  return page;
}

async function choose(page: Page, path: string): Promise<void> {
  await page.setInputFiles('#file', path);
  await page.locator('#status:not(:empty), #error:not(:empty)').first().waitFor();
}

const texts = (page: Page, selector: string) => page.locator(selector).allInnerTexts();

/** The row of a field in the step that is shown: came, left, change. */
async function field(page: Page, name: string): Promise<string[]> {
  const row = page.locator('#step tr', { has: page.getByRole('rowheader', { name, exact: true }) });
  return row.locator('td').allInnerTexts();
}

test.serial('a capture of real stacks: its connections, as migware inspect tells them', async (t) => {
  const page = await open(t);
  await choose(page, EXAMPLE);
  await page.getByRole('heading', { name: 'example.pcap' }).waitFor();
  t.deepEqual(await texts(page, '#totals li'), ['7\nconnections', '6\nrecoverable', '1\nat risk', '0\nlost']);
  t.is(await page.locator('#facts').innerText(), '335 frames, 74.3 KiB in 2.76 s');
  t.is(await page.locator('#refused summary').innerText(), '2 frames moved no connection');
  t.is(await page.locator('#connections tbody tr').count(), 7);
  const hole = page.locator('#connections tbody tr', { hasText: 'at risk' });
  t.regex(await hole.innerText(), /10\.77\.0\.2:7000\s+time-wait\s+105 B\s+184 B/);
  t.regex(await hole.innerText(), /inbound-hole: 21 bytes at \d+/);
  t.deepEqual(await hole.locator('.chip').allInnerTexts(), [
    'MSS 1460/1460',
    'window scale 10/10',
    'SACK',
    'timestamps',
    'at risk',
  ]);
  t.is(await page.locator('#timeline svg').getAttribute('aria-label'), '7 connections over 2.76 s');
  t.is(await page.locator('#timeline .row').count(), 7);
  t.true((await page.locator('#timeline .mark').count()) > 100);
  await page.screenshot({ path: `${SHOTS}/capture.png`, fullPage: true });
});

test.serial('a server crashes: the forged handshake, then translated segments with what was changed', async (t) => {
  const page = await open(t);
  await page.getByRole('button', { name: 'Show an example' }).click();
  await page.getByLabel('Server', { exact: true }).selectOption('10.77.0.2');
  await page.getByLabel('Moment').fill('1200');
  await page.getByRole('button', { name: 'Crash it' }).click();
  await page.getByRole('heading', { name: 'What happens' }).waitFor();
  t.regex(
    await page.locator('#story-about').innerText(),
    /dies 1\.20 s after .* 4 connections of 6 are served by the replica/,
  );
  t.is((await texts(page, '#fates .moved')).length, 4);
  t.is((await texts(page, '#fates .lost')).length, 0);

  // One connection alone: SYN and ACK are forged in the client's name, with the client's next number.
  const [client = ''] = (await texts(page, '#fates .moved')).map((text) => text.replace(/: .*/s, ''));
  await page.getByLabel('Steps of').selectOption(client);
  t.is(await page.locator('#step h3').innerText(), 'SYN forged for the replica');
  const [syn = ''] = await field(page, 'Sequence number');
  t.deepEqual(await field(page, 'MSS'), ['1460']);
  t.deepEqual(await field(page, 'SACK permitted'), ['yes']);
  await page.getByRole('button', { name: 'Next →' }).click();
  t.is(await page.locator('#step h3').innerText(), 'ACK forged for the replica');
  t.deepEqual(await field(page, 'Sequence number'), [`${(Number(syn) + 1) >>> 0}`]);
  await page.screenshot({ path: `${SHOTS}/handshake.png` });

  // By the keyboard to what the client says, and what the replica answers: the differences are each other's opposite.
  const title = page.locator('#step h3');
  await page.locator('#position').scrollIntoViewIfNeeded();
  const walkTo = async (pattern: RegExp): Promise<void> => {
    for (let i = 0; i < 20 && !pattern.test(await title.innerText()); i++) await page.keyboard.press('ArrowRight');
    t.regex(await title.innerText(), pattern);
  };
  await walkTo(/^\d+ bytes from the client, translated for the replica$/);
  const [, , ackChange = ''] = await field(page, 'Acknowledgement');
  t.deepEqual((await field(page, 'To')).slice(0, 2), ['10.77.0.2 port 7000', '203.0.113.77 port 7000']);
  t.regex(await page.locator('#step pre').innerText(), /^temperature|^humidity|^pressure/);
  await page.screenshot({ path: `${SHOTS}/translated.png` });
  await walkTo(/^\d+ bytes from the replica, translated for the client$/);
  const [came = '', left = '', seqChange = ''] = await field(page, 'Sequence number');
  t.is((Number(left) - Number(came)) | 0, numberOf(seqChange));
  t.is(numberOf(seqChange), -numberOf(ackChange));
  t.regex(await page.locator('#step pre').innerText(), /noted/);

  // The mouse does the same.
  await page.locator('#steps button').first().click();
  t.is(await page.locator('#position').innerText(), `Step 1 of ${await page.locator('#steps li').count()}`);
  t.true(await page.getByRole('button', { name: '← Back' }).isDisabled());
});

function numberOf(change: string): number {
  return Number(change.replace('−', '-'));
}

test.serial('what the client gets after the crash is what the primary had sent it', async (t) => {
  const page = await open(t);
  await page.getByRole('button', { name: 'Show an example' }).click();
  for (const [server, momentMs] of [
    ['10.77.0.2', 300],
    ['fd77::2', 900],
  ] as const) {
    await page.getByLabel('Server', { exact: true }).selectOption(server);
    await page.getByLabel('Moment').fill(`${momentMs}`);
    await page.getByRole('button', { name: 'Crash it' }).click();
    const about = await page.locator('#story-about').innerText();
    t.true(Number(/(\d+) segments reached/.exec(about)?.[1]) > 10, about);
    t.is((await texts(page, '#fates .lost')).length, 0, about);
    const refused = (await texts(page, '#steps button')).filter((text) => text.includes('passes nothing'));
    t.deepEqual(refused, []);
  }
});

test.serial('a moment is chosen by the keyboard, and the timeline shows it', async (t) => {
  const page = await open(t);
  await page.getByRole('button', { name: 'Show an example' }).press('Enter');
  const moment = page.getByLabel('Moment');
  const before = await page.locator('#timeline .moment').getAttribute('x1');
  await moment.press('Home');
  t.is(await page.locator('#moment-text').innerText(), '0 ms');
  t.not(await page.locator('#timeline .moment').getAttribute('x1'), before);
  await page.getByLabel('Server', { exact: true }).press('Tab');
  t.is(await page.locator(':focus').getAttribute('id'), 'moment');
  await page.keyboard.press('Enter');
  t.regex(await page.locator('#story-about').innerText(), /dies 0 ms after the first frame/);
});

for (const [name, bytes] of Object.entries(captures())) {
  test.serial(`as many connections as migware inspect finds: ${name}`, async (t) => {
    const page = await open(t);
    const path = fileOf(t, bytes);
    await choose(page, path);
    const { status, stdout } = spawnSync(process.execPath, ['build/migware.js', 'inspect', '--json', path], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
    });
    t.is(status, 0);
    const { totals } = JSON.parse(stdout) as {
      totals: Record<'connections' | 'recoverable' | 'atRisk' | 'lost', number>;
    };
    const numbers = [totals.connections, totals.recoverable, totals.atRisk, totals.lost];
    t.deepEqual(
      await texts(page, '#totals b'),
      numbers.map((number) => number.toLocaleString('en')),
    );
    const problem = await page.locator('#error').innerText();
    if (/^cut within|^damaged/.test(name)) t.regex(problem, /^The file .* What came before is shown\.$/);
    else t.is(problem, '');
  });
}

test.serial('a file that is no capture is named, and the page stays as it was', async (t) => {
  const page = await open(t);
  await choose(page, fileOf(t, Buffer.from('#!/bin/sh\n')));
  t.regex(await page.getByRole('alert').innerText(), /: This is no capture file: pcap or pcapng is expected\.$/);
  t.false(await page.locator('#capture').isVisible());
});

test.serial('a file is dropped', async (t) => {
  const page = await open(t);
  // As a text, since it is of the page, whose types are not those of Node.
  const data = await page.evaluateHandle(`(() => {
    const transfer = new DataTransfer();
    const bytes = Uint8Array.from(atob('${readFileSync(EXAMPLE).toString('base64')}'), (one) => one.charCodeAt(0));
    transfer.items.add(new File([bytes], 'dropped.pcap'));
    return transfer;
  })()`);
  await page.dispatchEvent('main', 'drop', { dataTransfer: data });
  await page.getByRole('heading', { name: 'dropped.pcap' }).waitFor();
  t.is(await page.locator('#connections tbody tr').count(), 7);
});

test.serial('the core of the page keeps to the vectors', async (t) => {
  const page = await open(t);
  await choose(page, 'examples/vectors.json');
  t.regex(await page.getByRole('status').innerText(), /^vectors\.json: \d+ vectors, \d+ calls: 0 failed$/);
});

for (const colorScheme of ['light', 'dark'] as const) {
  test.serial(`it fits a phone, ${colorScheme}`, async (t) => {
    const page = await open(t, { viewport: PHONE, colorScheme, isMobile: true, hasTouch: true });
    await page.getByRole('button', { name: 'Show an example' }).tap();
    await page.getByRole('button', { name: 'Crash it' }).tap();
    await page.locator('#steps button', { hasText: 'translated' }).first().tap();
    await page.screenshot({ path: `${SHOTS}/phone-${colorScheme}.png`, fullPage: true });
    t.is(await page.evaluate('document.documentElement.scrollWidth'), PHONE.width);
    const ground = await page.evaluate('getComputedStyle(document.body).backgroundColor');
    t.is(ground, colorScheme === 'light' ? 'rgb(247, 248, 250)' : 'rgb(17, 21, 28)');
  });
}

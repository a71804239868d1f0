/** The services that a replay can bring back. */
import { rsync } from './files';
import { lighttpd, nginx } from './http';
import { modbus, mosquitto } from './messages';
import { postgresTrust } from './postgres';
import type { RealService } from './real-service';
import { memcached, redis } from './stores';

export const SERVICES: readonly RealService[] = [
  nginx,
  lighttpd,
  redis,
  memcached,
  mosquitto,
  modbus,
  rsync,
  postgresTrust,
];

/** The smallest configuration, which tests change. */
export const SERVICE = `[[service]]
name     = "telemetry"
address  = "10.77.0.2"
ports    = [7000, 7001]
replica  = "10.77.0.3"
`;
export const MINIMAL = `interface = "eth0"\n${SERVICE}`;

/**
 * Errors of the host. One class per cause, each with a `code` that scripts and the command line can rely on; the
 * message names the offending key, file or device, and `cause` keeps what the system said.
 */

/** Every error that migware raises on purpose. Anything else is a bug. */
export abstract class MigwareError extends Error {
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** The machine lacks something: a privilege, a program, an interface, an address. The message says what. */
export class EnvironmentError extends MigwareError {
  readonly code = 'MIGWARE_ENVIRONMENT';
}

/** What a user should know and that does not stop the training. */

export type Warn = (message: string) => void;

/** Where warnings go when nobody asked for them: to Node's own, printed once a message on standard error. */
export const emitWarning: Warn = (message) => process.emitWarning(message, 'FlowWarning');

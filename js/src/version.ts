/** The version of this package, which hello sends to the server (EXT-1). A test keeps it equal to package.json. */
export const VERSION = "2.6.1";

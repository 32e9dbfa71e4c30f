export const app = { tasks: {} }

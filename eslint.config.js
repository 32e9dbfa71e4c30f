import js from '@eslint/js'
import importX from 'eslint-plugin-import-x'
import tseslint from 'typescript-eslint'

// The layers of docs/internals.md: a folder may import itself and what stands below it, never what stands
// above. The bundled tasks are user code: of the runtime they see the public entry only.
const ground = [
  './errors.ts',
  './version.ts',
  './thread-module.ts',
  './clock.ts',
  './logical-clock.ts',
  './log.ts',
  './has-colours.ts',
  './backoff.ts',
  './did-you-mean.ts',
  './glob.ts',
]
const zones = [
  { target: './src/serialization', from: './src', except: [...ground, './serialization'] },
  { target: './src/redis', from: './src', except: [...ground, './redis'] },
  { target: './src/schedules', from: './src', except: [...ground, './schedules'] },
  { target: './src/canvas', from: './src', except: [...ground, './serialization', './results', './canvas'] },
  { target: './src/coordination', from: './src', except: [...ground, './redis', './coordination'] },
  { target: './src/broker', from: './src', except: [...ground, './serialization', './redis', './broker'] },
  { target: './src/results', from: './src', except: [...ground, './serialization', './redis', './results'] },
  { target: './src/control', from: './src', except: [...ground, './serialization', './broker', './control'] },
  {
    target: './src/events',
    from: './src',
    except: [...ground, './serialization', './broker', './events'],
  },
  {
    target: './src/app',
    from: './src',
    except: [
      ...ground,
      './serialization',
      './redis',
      './canvas',
      './schedules',
      './broker',
      './coordination',
      './results',
      './control',
      './events',
      './app',
    ],
  },
  {
    target: './src/worker',
    from: './src',
    except: [
      ...ground,
      './serialization',
      './canvas',
      './broker',
      './coordination',
      './results',
      './control',
      './events',
      './app',
      './worker',
    ],
  },
  {
    target: './src/beat',
    from: './src',
    except: [...ground, './serialization', './schedules', './redis', './canvas', './app', './beat'],
  },
  {
    target: './src/api',
    from: './src',
    except: [
      ...ground,
      './serialization',
      './redis',
      './broker',
      './results',
      './control',
      './app',
      './api',
      './index.ts',
    ],
  },
  {
    target: './src/doctor',
    from: './src',
    except: [
      ...ground,
      './serialization',
      './redis',
      './broker',
      './coordination',
      './results',
      './control',
      './app',
      './doctor',
    ],
  },
  {
    target: './src/opentelemetry',
    from: './src',
    except: [...ground, './serialization', './app', './opentelemetry'],
  },
  { target: './src/tasks', from: './src', except: ['./index.ts', './did-you-mean.ts', './tasks'] },
]

export default tseslint.config(
  { ignores: ['dist', 'node_modules', '.lovage', '.cache', 'tests/vectors'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { 'import-x': importX },
    settings: {
      'import-x/extensions': ['.ts', '.js'],
      'import-x/resolver-next': [
        importX.createNodeResolver({ extensionAlias: { '.js': ['.ts', '.js'] }, extensions: ['.ts', '.js'] }),
      ],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
    },
    rules: {
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { zones }],
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/only-throw-error': 'error',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: 'error',
    },
  },
  { files: ['src/**/*.ts'], rules: { '@typescript-eslint/explicit-module-boundary-types': 'error' } },
  { files: ['**/*.js'], ...tseslint.configs.disableTypeChecked },
)

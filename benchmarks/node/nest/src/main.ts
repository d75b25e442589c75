// Nest on Express as its documentation builds it, with the statements that the generated project was seen to send.
import 'reflect-metadata';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  ForbiddenException,
  Get,
  Inject,
  Injectable,
  Module,
  Query,
  Req,
  SetMetadata,
  UnauthorizedException,
  UseGuards,
  ValidationPipe,
} from '@nestjs/common';
import { APP_GUARD, NestFactory, Reflector } from '@nestjs/core';
import { SkipThrottle, ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import helmet from 'helmet';
import { Logger, LoggerModule } from 'nestjs-pino';
import pg from 'pg';

const { AUTH_SECRET, DATABASE_URL, PORT, STATEMENTS } = process.env;
const [session, ...transaction] = JSON.parse(readFileSync(STATEMENTS!, 'utf8'));
const Permission = (permission: string) => SetMetadata('permission', permission);
const allowed: Record<string, string[]> = { owner: ['project:read'], admin: ['project:read'], member: ['project:read'] };

@Injectable()
class Database {
  readonly pool = new pg.Pool({ connectionString: DATABASE_URL, max: 10 });
}

/** The signed cookie, the session and the role behind it, and what the role may do. */
@Injectable()
class AccessGuard implements CanActivate {
  constructor(
    @Inject(Database) private readonly database: Database,
    @Inject(Reflector) private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest();
    const cookie = /app\.session_token=([^;]+)/.exec(request.headers.cookie ?? '')?.[1];
    const [token = '', given = ''] = decodeURIComponent(cookie ?? '').split('.');
    const right = createHmac('sha256', AUTH_SECRET!).update(token).digest('base64');
    if (given.length !== right.length || !timingSafeEqual(Buffer.from(given), Buffer.from(right))) {
      throw new UnauthorizedException();
    }
    const { rows } = await this.database.pool.query({ ...session });
    if (!rows[0] || rows[0].expiresAt <= Date.now()) throw new UnauthorizedException();
    const permission = this.reflector.get<string>('permission', context.getHandler());
    if (!allowed[rows[0].role]?.includes(permission)) throw new ForbiddenException();
    request.access = rows[0];
    return true;
  }
}

@Injectable()
class ProjectsService {
  constructor(@Inject(Database) private readonly database: Database) {}

  async list() {
    const client = await this.database.pool.connect();
    try {
      const results: pg.QueryResult[] = [];
      for (const statement of transaction) results.push(await client.query({ ...statement }));
      return results.find(({ fields }) => fields?.length > 3)?.rows ?? [];
    } finally {
      client.release();
    }
  }
}

class PageQuery {
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(100)
  limit = 20;

  @IsOptional()
  @IsString()
  cursor?: string;
}

@Controller('api/v1/organizations/:organization/projects')
class ProjectsController {
  constructor(@Inject(ProjectsService) private readonly projects: ProjectsService) {}

  @Get()
  @UseGuards(AccessGuard)
  @Permission('project:read')
  async list(@Query() _query: PageQuery, @Req() _request: unknown) {
    const items = (await this.projects.list()).map(
      ({ id, name, description, status, version, created_at, updated_at }) => ({
        id, name, description, status, version, createdAt: created_at, updatedAt: updated_at,
      }),
    );
    return { items, nextCursor: null };
  }
}

@Controller('livez')
@SkipThrottle()
class HealthController {
  @Get()
  alive() {
    return { status: 'alive' };
  }
}

@Module({
  imports: [
    LoggerModule.forRoot({ pinoHttp: { autoLogging: { ignore: (request) => request.url === '/livez' } } }),
    ThrottlerModule.forRoot([{ ttl: 60_000, limit: 1_000_000_000 }]),
  ],
  controllers: [ProjectsController, HealthController],
  providers: [Database, ProjectsService, AccessGuard, { provide: APP_GUARD, useClass: ThrottlerGuard }],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { bufferLogs: true });
app.useLogger(app.get(Logger));
app.use(helmet());
app.enableCors({ origin: ['https://app.example.com'], credentials: true });
app.useGlobalPipes(new ValidationPipe({ transform: true }));
app.enableShutdownHooks();
await app.listen(Number(PORT), '127.0.0.1');

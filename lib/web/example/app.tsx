// A page that shows a user's jobs and notes. `npm run check` compiles it.
import { StrictMode, type ReactNode } from 'react'
import { createRoot } from 'react-dom/client'
import { HeraldProvider, useHerald, useJob } from '@herald-progress/web/react'

/** What this application puts into the `meta` of its messages. */
interface Meta {
  customer?: string
}

async function getToken({ refused }: { refused: boolean }): Promise<string> {
  const response = await fetch('/token', { cache: refused ? 'reload' : 'default' })
  return response.text()
}

function Bar({ id }: { id: string }): ReactNode {
  const job = useJob<Meta>(id)
  return <progress max={100} value={job?.progress ?? 0} aria-label={job?.fileName} />
}

function Jobs(): ReactNode {
  const { jobs, notes, status, dismiss } = useHerald<Meta>()
  return (
    <main>
      <p>{status.state}</p>
      <ul>
        {jobs.map((job) => (
          <li key={job.id}>
            {job.meta?.customer} {job.fileName}: {job.message} <Bar id={job.id} />
          </li>
        ))}
      </ul>
      <ul>
        {notes.map((note) => (
          <li key={note.id}>
            {note.title}: {note.message} <button onClick={() => void dismiss(note.id)}>Dismiss</button>
          </li>
        ))}
      </ul>
    </main>
  )
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <HeraldProvider url="wss://example.com/prod" token={getToken}>
      <Jobs />
    </HeraldProvider>
  </StrictMode>,
)
